"""Who is asked in a test: the base as it is and with examples in its prompt, and the adapters of one task.

asked = ask_panes(panes, base=True, examples=True)
answers = answer_test(bases, asked, rows.examples)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_key, base_pane
from lora_hub.compare.test_sets.answering import answer_panes, load_tokenizers
from lora_hub.compare.test_sets.nouns import name_base
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BASE_EXAMPLES, Answer, Mend, Task
from lora_hub.data.prompts.prepare import Example

NO_EXAMPLES = _("the examples that the base was shown in training are not on this machine")
NO_ROOM = _("a row and its answer leave no room for examples in what the base reads")


@dataclass(frozen=True)
class AskedPanes:
    """panes: in the order in which they are shown. mends: of the first adapter with a task, for a file of its kind.
    shown: examples before each question of the base with examples. missing: why there is no such pane, where it was
    wanted."""

    panes: list[Pane]
    task: Task
    mends: tuple[Mend, ...]
    shown: int = 0
    missing: Message | None = None


def ask_panes(adapters: Sequence[Pane], *, base: bool, examples: bool, every_base: bool = False) -> AskedPanes:
    """every_base: where the adapters are of several bases, asks each of them, else the first one alone. Raises
    AdapterError where none of the adapters says its task, or two are for different ones."""
    first = next((pane for pane in adapters if pane.task), None)
    if first is None:
        raise AdapterError(
            _("{name} does not say which task it is for."),
            _("Give --prompt instead of --test."),
            name=adapters[0].name,
        )
    for pane in adapters:
        if pane.task is not None and pane.task.id != first.task.id:
            raise AdapterError(
                _("{name} is for the task {task}, {other} for {other_task}."),
                _("Score adapters of one task."),
                name=pane.name,
                task=pane.task.id,
                other=first.name,
                other_task=first.task.id,
            )
    plain = replace(base_pane(first), task=first.task)
    source = next((pane for pane in adapters if pane.shown), None)
    asked, missing = [*adapters], None
    if examples and source is not None:
        shown = replace(plain, name=BASE_EXAMPLES, shown=source.shown, calibrations=source.calibrations)
        asked = [shown, *asked]
    elif examples:
        missing = next((pane.missing for pane in adapters if pane.missing), NO_EXAMPLES)
    if base:
        asked = [*(_plain_bases(adapters, first) if every_base else [plain]), *asked]
    named: dict[str, int] = {}
    for place, pane in enumerate(asked):  # answers are told apart by name
        named[pane.name] = named.get(pane.name, 0) + 1
        if named[pane.name] > 1:
            asked[place] = replace(pane, name=f"{pane.name} ({named[pane.name]})")
    return AskedPanes(asked, first.task, first.mends, len(source.shown) if source and examples else 0, missing)


def _plain_bases(adapters: Sequence[Pane], first: Pane) -> list[Pane]:
    """A pane for each base, in the order of the adapters; where there are several, they are told apart by name.
    first: whose task is asked."""
    of_base: dict[str, Pane] = {base_key(first.base): first}
    for pane in adapters:
        of_base.setdefault(base_key(pane.base), pane)
    if len(of_base) == 1:
        return [replace(base_pane(first), task=first.task)]
    found = []
    for pane in sorted(of_base.values(), key=[*adapters].index):
        base, name = base_pane(pane), name_base(pane.base.id)
        named = {name: base.calibration} if base.calibration is not None else {}
        found.append(replace(base, name=name, task=first.task, calibrations=named))
    return found


def write_examples(asked: AskedPanes, examples: list[Example], tokenizers: Sequence[Any]) -> list[Example]:
    """The examples with their answers as the first pane's chat template writes them. Raises DataError naming every row
    that one of the tokenizers refuses, before anything is answered."""
    from lora_hub.data.prompts import prepare

    if asked.task.is_chat:
        for tokenizer in {id(one): one for one in tokenizers}.values():
            prepare.check_refused(tokenizer, asked.task, examples)
    return prepare.written(tokenizers[0], examples)


def answer_test(
    bases: LoadedBases,
    asked: AskedPanes,
    examples: list[Example],
    *,
    owner: str = "",
    tokenizers: Sequence[Any] = (),
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, list[Answer]]:
    """Everybody's answers, by pane; without the base's with examples where they leave no room (`few_shot_of`)."""
    found = answer_panes(
        bases,
        asked.panes,
        asked.task,
        examples,
        owner=owner,
        tokenizers=tokenizers or load_tokenizers(asked.panes),
        progress=progress,
        cancelled=cancelled,
    )
    return {pane.name: of for pane, of in zip(asked.panes, found, strict=True) if of is not None}


def few_shot_of(asked: AskedPanes, answers: dict[str, list[Answer]]) -> dict[str, Any]:
    """How the base was asked with examples: {scored, examples, reason}. reason: why it was not, if it was wanted."""
    scored = BASE_EXAMPLES in answers
    reason = asked.missing if asked.missing else NO_ROOM if asked.shown and not scored else None
    return {"scored": scored, "examples": asked.shown if scored else 0, "reason": reason}
