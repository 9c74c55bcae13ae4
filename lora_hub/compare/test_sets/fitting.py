"""Whether the rows of a test fit into what each base reads at once, before anybody is asked.

fitted = fit_test(asked, examples, tokenizers)     fitted.asked, fitted.tokenizers, fitted.places, fitted.problems
find_seen(asked, fingerprint, problems)            adapters that have seen the rows in training

A row that is too long for one is left out for all, who are compared on the same rows. The examples before the base's
questions become fewer where that makes room, unless its answers are calibrated for as many as the exam showed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lora_hub.compare.panes import Pane
from lora_hub.compare.test_sets.panes_asked import AskedPanes
from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, joined, numbers, several
from lora_hub.core.schema import Problem, Task
from lora_hub.data.prompts.prepare import Example


@dataclass(frozen=True)
class Fitted:
    """asked, tokenizers: who is asked, without the base with examples where they leave no room. places: of the rows
    that everybody can be asked, from 0. problems: which rows were left out."""

    asked: AskedPanes
    tokenizers: list[Any]
    places: list[int]
    problems: list[Problem]


def fit_test(asked: AskedPanes, examples: Sequence[Example], tokenizers: Sequence[Any]) -> Fitted:
    """tokenizers: of the panes. Raises DataError where no row is left."""
    long: set[int] = set()
    known: list[tuple[Any, Task, list[int]]] = []
    for pane, tokenizer in zip(asked.panes, tokenizers, strict=True):
        if _has_examples(pane) or not pane.base.context:
            continue
        task = pane.task or asked.task
        lengths = next((found for one, of, found in known if one is tokenizer and of == task), None)
        if lengths is None:
            lengths = _lengths(tokenizer, task, examples)
            known.append((tokenizer, task, lengths))
        long |= {place for place, length in enumerate(lengths) if length >= pane.base.context}
    places = [place for place in range(len(examples)) if place not in long]
    problems = [_left_out([examples[place].row for place in sorted(long)], len(examples))] if long else []
    if problems and not places:
        raise DataError(problems[0].said, _("Shorten the rows, or choose a base with a longer context."))
    kept = [examples[place] for place in places]
    for place, (pane, tokenizer) in enumerate(zip(asked.panes, tokenizers, strict=True)):
        if _has_examples(pane) and pane.base.context and kept:
            shown, missing = _fit_examples(pane, asked.task, kept, tokenizer)
            panes = [*asked.panes]
            panes[place : place + 1] = [replace(pane, shown=shown)] if shown else []
            rest = [one for at, one in enumerate(tokenizers) if shown or at != place]
            asked = replace(asked, panes=panes, shown=len(shown), missing=missing or asked.missing)
            return Fitted(asked, rest, places, problems)
    return Fitted(asked, [*tokenizers], places, problems)


def _has_examples(pane: Pane) -> bool:
    return pane.folder is None and bool(pane.shown)


def _lengths(tokenizer: Any, task: Task, examples: Sequence[Example]) -> list[int]:
    """Of each row's prompt, in tokens."""
    from lora_hub.data.prompts import template

    return [*map(len, template.encode_prompts(tokenizer, task, [one.inputs for one in examples]))]


def _fit_examples(pane: Pane, task: Task, examples: list[Example], tokenizer: Any) -> tuple[tuple, Message | None]:
    """The examples for which there is room before each row and its answer; none, and why."""
    from lora_hub.answering import questions

    task, shown, tight = pane.task or task, pane.shown, examples
    rows: list[int] = []
    while shown and tight:
        asked = questions.put(tokenizer, task, [one.inputs for one in tight], calibration=pane.calibration, shown=shown)
        longest = max(map(len, asked[0].choices)) if asked[0].choices else task.max_new_tokens
        tight = [one for one, of in zip(tight, asked, strict=True) if len(of.ids) + longest > pane.base.context]
        rows = rows or [one.row for one in tight]
        if tight:
            shown = shown[:-1] if pane.calibration is None else ()
    return shown, None if shown else _no_room(rows, pane.base.context)


def _no_room(rows: list[int], context: int) -> Message:
    return _n(
        "with row {rows} they do not fit into the {context:,} tokens that the base reads at once; without "
        "that row in the file they are shown",
        "with rows {rows} they do not fit into the {context:,} tokens that the base reads at once; without "
        "these rows in the file they are shown",
        count=len(rows),
        rows=numbers(rows, 8),
        context=context,
    )


def find_seen(asked: AskedPanes, fingerprint: str, problems: Sequence[Problem]) -> list[Problem]:
    """That adapters, or those they go on from, were trained on the very file whose rows are asked. fingerprint,
    problems: of the file. Of one that has a test part that part is asked, which nobody is trained on."""
    names = [pane.name for pane in asked.panes if fingerprint in pane.trained_on]
    before = [pane.name for pane in asked.panes if fingerprint in pane.trained_before and pane.name not in names]
    if not (names or before) or any(problem.code == "test-part" for problem in problems):
        return []
    told = (
        (
            names,
            _n(
                "{names} was trained on this very file: it has seen most of these rows with their answers, and its "
                "scores say little about new ones.",
                "{names} were trained on this very file: they have seen most of these rows with their answers, and "
                "their scores say little about new ones.",
            ),
        ),
        (
            before,
            _n(
                "{names} goes on from an adapter that was trained on this very file: its scores say little about new "
                "rows.",
                "{names} go on from adapters that were trained on this very file: their scores say little about new "
                "rows.",
            ),
        ),
    )
    said = [sentence.filled({"count": len(of), "names": several(of, most=5)}) for of, sentence in told if of]
    hint = _("Test on a file that none of them knows, or on the rows that its run held out.")
    return [Problem(code="trained-on", severity="warning", said=joined(*said, hint))]


def _left_out(rows: list[int], total: int) -> Problem:
    said = _n(
        "{count:,} of {total:,} rows is longer than a base reads at once, and nobody is asked it: row {rows}.",
        "{count:,} of {total:,} rows are longer than a base reads at once, and nobody is asked them: rows {rows}.",
        count=len(rows),
        total=total,
        rows=numbers(rows, 8),
    )
    return Problem(code="too-long", severity="warning", said=said)
