"""Checks whether the data contradicts the task: labels of another kind, too many labels, columns of another task.

A task may have been proposed for an earlier file or chosen by mistake. It is questioned only if the data is clear, and
then with the task that fits. A person who means it can continue.
"""

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.checks.check_labels import label_counts
from lora_hub.data.columns import column_tasks
from lora_hub.data.columns.column_facts import ColumnFacts, column_facts
from lora_hub.data.columns.column_names import plain
from lora_hub.data.tables.check_words import script
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.label_forms import normal_label
from lora_hub.data.tables.label_kinds import MOST_SPAM, kind_of, may_be_states
from lora_hub.data.tables.table import Table

LABEL_TASKS = ("spam", "sentiment", "topic", "intent")
# Tasks whose answers are a certain kind of text; an instruction may have any answer.
TEXT_TASKS = ("translation", "summarization", "grammar", "text-to-sql")
MOST_FEELINGS, MANY_LABELS = 40, 30


def find_doubt(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """At most one finding, with the catalogue's better fitting task in `Problem.task`. Returns nothing for a task that
    a person defined."""
    if task.id not in (*LABEL_TASKS, *TEXT_TASKS) or task.labels:
        return []
    facts = column_facts(table)
    if task.output == "labels" and mapping.get("answer") in table.columns:
        told = _labels_speak(table, task, mapping["answer"], facts)
    else:
        told = _texts_speak(task, mapping, facts)
    if told is None and _is_of_no_use(task, mapping, facts):
        told = _columns_speak(table, task, mapping)
    if told is None:
        return []
    other, why = told
    better = column_tasks.title_of(other)
    found = finding(
        "other-task",
        "warning",
        _("This does not look like data for “{task}”: {why}.", task=task.title, why=why),
        hint=_(
            "It looks like “{title}” (task {task}). Choose that one, or go on if this is what you mean.",
            title=better,
            task=other,
        ),
    )
    return [Finding(found.problem.model_copy(update={"task": other}), found.rows)]


def _labels_speak(table: Table, task: Task, column: str, facts: dict[str, ColumnFacts]) -> tuple[str, Message] | None:
    """The task that the labels suggest, and why; None if they may well fit this one."""
    texts = table.texts(column).fill_null("").str.strip_chars()
    counts = label_counts(texts.alias("answer").to_frame())
    if not 2 <= len(counts) <= max(20, 0.5 * sum(counts.values())):
        return None  # one class, or no labels at all: other checks report both
    # Labels that only the test part has belong to the task too.
    tested = (
        table.test.texts(column).drop_nulls().str.strip_chars().unique().sort().to_list()
        if table.test is not None and column in table.test.columns
        else []
    )
    labels = list(dict.fromkeys([*list(counts)[:200], *filter(None, tested[:200])]))
    kind = kind_of(labels, plain(column))
    if task.id == "spam":
        fits = (
            kind == "spam"
            and len(counts) <= MOST_SPAM
            or kind == ""
            and len({normal_label(label) for label in counts}) <= 2
        )
    elif task.id == "sentiment":
        fits = kind in ("sentiment", "") and len(counts) <= MOST_FEELINGS
    else:
        fits = kind not in ("spam", "sentiment") or kind == "sentiment" and may_be_states(labels, plain(column))
    if fits:
        return None
    others = [fact for fact in facts.values() if fact.is_text]
    other = (
        kind
        if kind in ("spam", "sentiment") and kind != task.id
        else column_tasks.labels_task(facts[column], others)[0]
    )
    other = other if other != task.id else "topic"
    shown = several(counts, most=4)
    return other, _n(
        "the column {column!r} holds {count:,} label ({shown})",
        "the column {column!r} holds {count:,} labels ({shown})",
        column=column,
        count=len(counts),
        shown=shown,
    )


def _texts_speak(task: Task, mapping: dict[str, str], facts: dict[str, ColumnFacts]) -> tuple[str, Message] | None:
    """A text task whose answers are labels, or are in the wrong script for it."""
    answer = facts.get(mapping.get("answer", ""))
    asked = next((facts[mapping[role]] for role in task.inputs if mapping.get(role) in facts), None)
    if task.output == "labels" or answer is None or asked is None:
        return None
    if answer.is_labels and answer.filled >= 20 and answer.distinct <= 30 and not asked.is_labels:
        others = [fact for fact in facts.values() if fact.is_text]
        return column_tasks.labels_task(answer, others)[0], _n(
            "the answers in {name!r} are {count} label that comes again and again ({examples})",
            "the answers in {name!r} are {count} labels that come again and again ({examples})",
            name=answer.name,
            count=answer.distinct,
            examples=several(answer.examples, most=4),
        )
    if answer.sql > 0.8 and task.id != "text-to-sql":
        return "text-to-sql", _("the answers in {name!r} are SQL", name=answer.name)
    if task.id in ("summarization", "grammar") and answer.script and asked.script and answer.script != asked.script:
        return "translation", _(
            "{asked!r} is in {asked_script} script and {answer!r} in {answer_script}",
            asked=asked.name,
            asked_script=script(asked.script),
            answer=answer.name,
            answer_script=script(answer.script),
        )
    return None


def _is_of_no_use(task: Task, mapping: dict[str, str], facts: dict[str, ColumnFacts]) -> bool:
    """Whether a role has no column, or there are very many labels."""
    needed = {*task.inputs, "answer"} - set(task.optional_inputs)
    answer = facts.get(mapping.get("answer", ""))
    return (
        not needed <= set(mapping)
        or task.output == "labels"
        and answer is not None
        and (not answer.is_labels or answer.distinct > MANY_LABELS)
    )


def _columns_speak(table: Table, task: Task, mapping: dict[str, str]) -> tuple[str, Message] | None:
    try:
        other, why = column_tasks.propose_task(table)
    except DataError:
        return None  # no task fits; another check reports that
    judged = mapping.get("answer") and task.output == "labels" and other in LABEL_TASKS  # by the labels themselves
    if other == task.id or judged or column_tasks.is_guess(why):
        return None
    return other, why
