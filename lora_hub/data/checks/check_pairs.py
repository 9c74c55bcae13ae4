"""Finds a second text that belongs with the first (as in entailment and paraphrase data), under a task that reads only
one."""

import re

from lora_hub.core.messages import _
from lora_hub.core.schema import Task
from lora_hub.data.columns.column_facts import column_facts
from lora_hub.data.columns.column_names import squeezed
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table

# Names of two texts that are judged together. Other pairs differ only in their last character (sent1 and sent2, text_a
# and text_b).
PAIRS = {
    "premise": "hypothesis",
    "claim": "evidence",
    "question": "passage sentence answer context",
    "query": "document passage product title text",
    "text": "textpair hypothesis",
    "sentence": "sentencepair hypothesis",
    "context": "hypothesis response",
    "headline": "body",
    "فرض": "فرضیه",
    "ادعا": "شاهد",
}
ENDS = (("1", "2"), ("a", "b"), ("۱", "۲"), ("first", "second"), ("left", "right"))


def find_pairs(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """At most one finding, for a second text that belongs to the one in use. Returns nothing for a task with several
    inputs."""
    if task.output != "labels" or len(task.inputs) != 1 or not {task.inputs[0], "answer"} <= set(mapping):
        return []
    read = mapping[task.inputs[0]]
    facts = column_facts(table)
    others = [
        fact.name
        for fact in facts.values()
        if fact.name not in mapping.values() and fact.is_text and are_pair(read, fact.name)
    ]
    if not others or read not in facts or not facts[read].is_text:
        return []
    first, second = sorted((read, others[0]), key=table.columns.index)
    return [
        finding(
            "second-text",
            "warning",
            _(
                (
                    "{other!r} is not used. It looks like the other half of {read!r}, and the label of a pair cannot "
                    "be "
                    "told from one half."
                ),
                other=others[0],
                read=read,
            ),
            hint=_(
                (
                    "Make a task of your own that reads both (inputs: {first}, {second}; output: labels), or go on if "
                    "the "
                    "label is about {read!r} alone."
                ),
                first=first,
                second=second,
                read=read,
            ),
        )
    ]


def are_pair(one: str, other: str) -> bool:
    """Decides by the columns' names alone."""
    first, second = squeezed(one), squeezed(other)
    if second in PAIRS.get(first, "").split() or first in PAIRS.get(second, "").split():
        return True
    for low, high in ENDS:
        for name, partner, mine, theirs in ((first, second, low, high), (second, first, low, high)):
            if name.endswith(mine) and len(name) > len(mine) and partner == re.sub(f"{mine}$", theirs, name):
                return True
            if name.startswith(mine) and len(mine) > 1 and partner == theirs + name.removeprefix(mine):
                return True
    return False
