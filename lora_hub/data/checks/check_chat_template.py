"""Checks conversations against a base's own chat template: what it refuses, and what it does not support."""

from collections.abc import Callable, Sequence
from typing import Any

from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.prompts.chat_template import Traits, traits_of, without_thoughts
from lora_hub.data.prompts.prepare import Example, find_refused
from lora_hub.data.tables.findings import Finding, finding

MOST = 20_000  # examples rendered


def find_template(tokenizer: Any, task: Task, examples: Sequence[Example]) -> list[Finding]:
    """`examples`: the rows' examples from `prepare.build_examples`; only the first `MOST` are checked."""
    examples = examples[:MOST]
    traits = traits_of(tokenizer)
    found = [_refused(tokenizer, task, examples)] if task.is_chat and tokenizer.chat_template else []
    found += [
        _no_tools(traits, examples),
        _calls_as_text(traits, examples),
        _no_system(traits, examples),
        _thoughts(traits, examples),
    ]
    return [one for one in found if one is not None] + _closed(traits)


def _refused(tokenizer: Any, task: Task, examples: Sequence[Example]) -> Finding | None:
    rows, reason = find_refused(tokenizer, task, examples)
    if reason is None:
        return None
    said = _n(
        "{count:,} conversation is refused by the base's chat template (row {rows}): {reason}.",
        "{count:,} conversations are refused by the base's chat template (rows {rows}): {reason}.",
        # The template's own message, without our sentence around it.
        count=len(rows),
        rows=several(rows, most=10),
        reason=reason.said.values.get("reason", reason.said),
    )
    return finding(
        "refused-chats",
        "error",
        said,
        hint=_("Leave these rows out, or choose a base whose template takes them."),
        rows=rows,
    )


def _no_tools(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    rows = [] if traits.tools else _rows(examples, lambda example: bool(example.inputs.get("tools")))
    if not rows:
        return None
    said = _n(
        (
            "{count:,} conversation defines tools, which the base's chat template has no place for: the model does not "
            "see the definitions."
        ),
        (
            "{count:,} conversations define tools, which the base's chat template has no place for: the model does not "
            "see the definitions."
        ),
        count=len(rows),
    )
    hint = _(
        "Choose a base whose template takes tools (such as Qwen2.5 or Llama 3.1), or write the definitions into the "
        "system text."
    )
    return finding("no-place-for-tools", "warning", said, hint=hint, rows=rows)


def _calls_as_text(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    rows = [] if traits.calls else _rows(examples, lambda example: example.turn is not None)
    if not rows:
        return None
    said = _n(
        (
            "The tool calls of {count:,} conversation are learnt as JSON text, a line each: the base's chat template "
            "has "
            "no form for them."
        ),
        (
            "The tool calls of {count:,} conversations are learnt as JSON text, a line each: the base's chat template "
            "has "
            "no form for them."
        ),
        count=len(rows),
    )
    return finding("calls-as-text", "info", said, rows=rows)


def _no_system(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    def has_system(example: Example) -> bool:
        return bool(example.inputs.get("system")) or any(
            message["role"] == "system" for message in example.inputs.get("messages", ())
        )

    rows = [] if traits.system else _rows(examples, has_system)
    if not rows:
        return None
    said = _n(
        (
            "The base's chat template has no system turn: the system text of {count:,} row is put before the first "
            "question, in training and in asking."
        ),
        (
            "The base's chat template has no system turn: the system text of {count:,} rows is put before the first "
            "question, in training and in asking."
        ),
        count=len(rows),
    )
    return finding("no-system-turn", "info", said, rows=rows)


def _thoughts(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    """Reasoning written into the answer itself (<think>...</think>), on a base whose template closes its own reasoning
    block before the answer."""
    rows = _rows(examples, lambda example: without_thoughts(example.answer, traits) != example.answer)
    if not rows:
        return None
    said = _n(
        "In {count:,} row the answer begins with thoughts (<think>), which are not learnt on this base.",
        "In {count:,} rows the answer begins with thoughts (<think>), which are not learnt on this base.",
        count=len(rows),
    )
    hint = _(
        "Its template has its own place for thoughts, which is closed before the answer. A base without one learns "
        "them as text."
    )
    return finding("thoughts-in-answers", "warning", said, hint=hint, rows=rows)


def _closed(traits: Traits) -> list[Finding]:
    if not (traits.thinks and traits.opening):
        return []
    return [
        finding(
            "thinking-closed",
            "info",
            _(
                "The base's chat template opens a block for thoughts before each answer. It is closed again, empty, "
                "in training and in asking."
            ),
        )
    ]


def _rows(examples: Sequence[Example], is_so: Callable[[Example], bool]) -> list[int]:
    return list(dict.fromkeys(example.row for example in examples if is_so(example)))
