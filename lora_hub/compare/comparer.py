"""One question answered by a base and adapters side by side, those of one base in one batch through its adapter stack.

`Comparer` holds the loaded bases; app.py creates one and passes it on. Each adapter gets the question in its own
template, as it was trained; the base gets the first adapter's.
"""

from collections.abc import Callable, Iterator, Sequence

from lora_hub.compare.answer_group import AskedPane, answer_group, put_question
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_key, panes_of, resolve_adapter
from lora_hub.core.errors import AdapterError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_ADAPTERS, PaneAnswer, Question

# Panes, a question, the one pane that is asked and the most new tokens -> what `Comparer.stream` yields, and an error
# where it raises one.
Elsewhere = Callable[[Sequence[Pane], Question, str, int], Iterator[PaneAnswer | LoraHubError]]


class Comparer:
    """Answers questions with bases and adapters. Thread-safe: visitors of the same base are answered in one running
    batch (loaded_bases.py). base: overrides the base of every adapter, for adapters whose base is elsewhere on this
    machine or that name none. elsewhere: what answers a question in the place of this process (zero_gpu.py)."""

    def __init__(
        self,
        base: str = "",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.base, self._elsewhere = base, elsewhere
        self.bases = LoadedBases()

    def resolve(self, adapters: Sequence[str | Pane]) -> list[Pane]:
        """The panes of these names: a run's id, a PEFT folder, a repo id or repo@revision. An item that is already a
        pane is returned unchanged. Raises AdapterError if one cannot be found."""
        return [one if isinstance(one, Pane) else resolve_adapter(one, self.base) for one in adapters]

    def stream(
        self,
        adapters: Sequence[str | Pane],
        question: Question,
        *,
        only: str = "",
        most_new_tokens: int = 0,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[PaneAnswer]:
        """Yields the answers of all panes as they grow, in the places of `question.pane_names`; of the base alone where
        `Pane(BASE, base)` stands in the adapters' place. The panes of one base
        answer in one batch, those of other bases after it, each base as memory allows. only: the name of the one pane
        that is asked, each pane keeping its place.

        An answer is never longer than `most_new_tokens` if that is given, because a task may be a stranger's. A prompt
        to a task with several inputs is the whole prompt, unchanged. A pane whose task has labels answers with one of
        them, as in the exam, unless the question is for free text.

        Raises AdapterError, BaseError, DataError, SpecError (an input that a task does not have).
        """
        found = self.resolve(adapters)
        if not found:
            raise AdapterError(_("No adapter was chosen."), _("Choose 1 to {most} adapters."), most=MOST_ADAPTERS)
        panes = panes_of(question, found)
        asked = [one for one in put_question(question, panes) if only in ("", one.pane.name)]
        if not asked:
            raise AdapterError(
                _("{name!r} was not asked."), _("Name one of: {names}."), name=only, names=[one.name for one in panes]
            )
        if self._elsewhere is not None:
            yield from self._stream_elsewhere(found, question, only, most_new_tokens, asked, cancelled)
            return
        groups: dict[str, list[AskedPane]] = {}
        for one in asked:
            groups.setdefault(base_key(one.pane.base), []).append(one)
        for group in groups.values():
            if len(groups) > 1 and cancelled is not None and cancelled():
                yield from (one.view().ended("cancelled") for one in group)
                continue
            with self.bases.hold([one.pane for one in group], cancelled) as held:
                if held is None:
                    yield from (one.view().ended("cancelled") for one in group)
                    continue
                loaded, names = held
                yield from answer_group(
                    loaded,
                    names,
                    group,
                    question,
                    judged=found[0].task if question.reference else None,
                    most_new_tokens=most_new_tokens,
                    cancelled=cancelled,
                )

    def _stream_elsewhere(
        self,
        panes: Sequence[Pane],
        question: Question,
        only: str,
        most: int,
        asked: Sequence[AskedPane],
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[PaneAnswer]:
        """The answers that come from elsewhere. Where the question is cancelled, those that have not ended end."""
        last = {one.place: one.view() for one in asked}
        for told in self._elsewhere(panes, question, only, most):
            if isinstance(told, LoraHubError):
                raise told
            last[told.pane] = told
            yield told
            if cancelled is not None and cancelled():
                break
        for told in last.values():
            if not told.done:
                yield told.ended("cancelled")
