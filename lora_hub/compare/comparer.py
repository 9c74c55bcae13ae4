"""One question answered by a base and its adapters side by side, in one batch through the adapter stack.

`Comparer` holds the loaded bases; app.py creates one and passes it on. Each adapter gets the question in its own
template, as it was trained; the base gets the first adapter's.
"""

from collections.abc import Callable, Iterator, Sequence

from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_key, base_pane, resolve_adapter
from lora_hub.core.errors import AdapterError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_ADAPTERS, Answer, PaneAnswer, Question

DEFAULT_NEW_TOKENS = 128
# Panes, a question and the most new tokens -> what `Comparer.stream` yields, and an error where it raises one.
Elsewhere = Callable[[Sequence[Pane], Question, int], Iterator[PaneAnswer | LoraHubError]]


class Comparer:
    """Answers questions with bases and adapters. Thread-safe: visitors of the same base are answered in one running
    batch (loaded_bases.py). base: overrides the base of every adapter, for adapters whose base is elsewhere on this
    machine or that name none. elsewhere: what answers a question in the place of this process (zero_gpu.py)."""

    def __init__(
        self,
        base: str = "",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._base, self._elsewhere = base, elsewhere
        self.bases = LoadedBases()

    def resolve(self, adapters: Sequence[str | Pane]) -> list[Pane]:
        """The panes of these names: a run's id, a PEFT folder, a repo id or repo@revision. An item that is already a
        pane is returned unchanged.

        Raises AdapterError if one cannot be found, or if they do not share one base.
        """
        panes = [one if isinstance(one, Pane) else resolve_adapter(one, self._base) for one in adapters]
        for pane in panes[1:]:
            if base_key(pane.base) != base_key(panes[0].base):
                raise AdapterError(
                    _("{name} was made for {base}, {other} for {other_base}."),
                    _("Compare adapters of one base."),
                    name=panes[0].name,
                    base=panes[0].base.id,
                    other=pane.name,
                    other_base=pane.base.id,
                )
        return panes

    def stream(
        self,
        adapters: Sequence[str | Pane],
        question: Question,
        *,
        most_new_tokens: int = 0,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[PaneAnswer]:
        """Yields the answers of all panes as they grow, in the order of `question.pane_names`.

        An answer is never longer than `most_new_tokens` if that is given, because a task may be a stranger's. A prompt
        to a task with several inputs is the whole prompt, unchanged. A pane whose task has labels answers with one of
        them, as in the exam, unless the question is for free text.

        Raises AdapterError, BaseError, DataError, SpecError (an input that a task does not have).
        """
        panes = self.resolve(adapters)
        if not panes:
            raise AdapterError(_("No adapter was chosen."), _("Choose 1 to {most} adapters."), most=MOST_ADAPTERS)
        if self._elsewhere is not None:
            yield from self._stream_elsewhere(panes, question, most_new_tokens, cancelled)
            return
        from lora_hub.answering import generate, questions
        from lora_hub.evaluation import metrics

        base, free_text, reference = question.base, question.free_text, question.reference
        panes = [base_pane(panes[0]), *panes] if base else panes
        named = [panes[1].name, *(pane.name for pane in panes[1:])] if base else [pane.name for pane in panes]
        read = [
            questions.read_question(pane.task, name, question.prompt, question.inputs)
            for pane, name in zip(panes, named, strict=True)
        ]
        with self.bases.hold(panes, cancelled) as found:
            if found is None:
                yield from (
                    PaneAnswer(pane=place, name=pane.name, revision=pane.revision, answer=Answer(finish="cancelled"))
                    for place, pane in enumerate(panes)
                )
                return
            loaded, names = found
            for _task, (inputs_read,) in read:
                questions.check_length(loaded.stack, inputs_read)
            asked = [
                questions.put(
                    loaded.tokenizer_of(pane),
                    *one,
                    adapter=name,
                    calibration=pane.calibration,
                    labels=() if free_text else questions.labels_of(pane.task),
                )[0]
                for pane, name, one in zip(panes, names, read, strict=True)
            ]
            judged_task = panes[1 if base else 0].task if reference else None

            def told(place: int, answer: Answer) -> PaneAnswer:
                pane, divergence, judgement = panes[place], None, None
                if answer.done and answer.finish != "cancelled":
                    if pane.folder is not None:
                        row = generate.PromptRow(ids=asked[place].ids, adapter=asked[place].adapter)
                        divergence = generate.divergence(loaded.stack, loaded.tokenizer, row, answer.ids)
                    if (
                        judged_task is not None
                        and pane.task is not None
                        and pane.task.id == judged_task.id
                        and (not pane.task.labels or reference in pane.task.labels)
                    ):
                        judgement = metrics.judge(judged_task, [answer.text], [reference])[0]
                return PaneAnswer(
                    pane=place,
                    name=pane.name,
                    revision=pane.revision,
                    answer=answer,
                    divergence=divergence,
                    judgement=judgement,
                    task=pane.task,
                )

            writing = [pane for pane, one in zip(panes, asked, strict=True) if one.choices is None]
            most = question.max_new_tokens or max(
                (pane.task.max_new_tokens if pane.task else DEFAULT_NEW_TOKENS for pane in writing), default=1
            )
            most = min(most, most_new_tokens or most)
            for place, answer in questions.stream(
                loaded.stack,
                loaded.tokenizer,
                asked,
                max_new_tokens=most,
                temperature=question.temperature,
                seed=question.seed,
                cancelled=cancelled,
                visitors=loaded.visitors,
            ):
                yield told(place, answer)

    def _stream_elsewhere(
        self, panes: Sequence[Pane], question: Question, most: int, cancelled: Callable[[], bool] | None
    ) -> Iterator[PaneAnswer]:
        """The answers that come from elsewhere. Where the question is cancelled, those that have not ended end."""
        shown = [base_pane(panes[0]), *panes] if question.base else panes
        last = {
            place: PaneAnswer(pane=place, name=pane.name, revision=pane.revision) for place, pane in enumerate(shown)
        }
        for told in self._elsewhere(panes, question, most):
            if isinstance(told, LoraHubError):
                raise told
            last[told.pane] = told
            yield told
            if cancelled is not None and cancelled():
                break
        for told in last.values():
            if not told.done:
                yield told.model_copy(update={"answer": told.answer.model_copy(update={"finish": "cancelled"})})
