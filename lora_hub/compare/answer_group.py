"""The panes of one base, answered in one batch.

asked = put_question(question, panes)                     what each pane is asked; raises before anything is loaded
for told in answer_group(loaded, names, asked, question): ...       PaneAnswer as they grow
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare.loaded_bases import Loaded
from lora_hub.compare.panes import Pane
from lora_hub.compare.shown_examples import find_examples
from lora_hub.core.schema import BASE_EXAMPLES, Answer, Divergence, Judgement, PaneAnswer, Question, Task

DEFAULT_NEW_TOKENS = 128


@dataclass(frozen=True)
class AskedPane:
    """A pane and what it is asked. place: among all panes of the question. task: that the prompt is rendered with;
    None: it is taken as it is. labels: one of which is the answer; empty: any text."""

    place: int
    pane: Pane
    task: Task | None
    inputs: dict[str, Any]
    labels: tuple[str, ...] = ()

    def view(self, **told: Any) -> PaneAnswer:
        pane = self.pane
        told = {"note": pane.note, **told}
        return PaneAnswer(
            pane=self.place,
            name=pane.name,
            revision=pane.revision,
            version=pane.version,
            base=Path(pane.base.id).name if bases.folder_of(pane.base) is not None else pane.base.id,
            strength=pane.strength,
            task=pane.task,
            **told,
        )

    @property
    def most_tokens(self) -> int:
        """Of an answer, where the question does not say: the task's own, in which a bare prompt is answered, too."""
        task = self.task if self.task is not None and self.task.is_chat else self.pane.task
        return task.max_new_tokens if task is not None else DEFAULT_NEW_TOKENS


def put_question(question: Question, panes: Sequence[Pane]) -> list[AskedPane]:
    """What each pane is asked. The base reads the first adapter's task. Raises DataError, SpecError."""
    from lora_hub.answering import questions

    first = next((pane.name for pane in panes if pane.folder is not None), panes[0].name)
    asked = []
    for place, pane in enumerate(panes):
        if question.is_chat:
            task = pane.task if pane.task is not None and pane.task.is_chat else catalogue.get_task("chat")
            _task, rows = questions.read_question(task, pane.name, question.prompt, None)
            system = [{"role": "system", "content": question.system}] if question.system.strip() else []
            earlier = [turn.model_dump() for turn in question.earlier.get(pane.name, ())]
            asked.append(AskedPane(place, pane, task, {"messages": [*system, *earlier, *rows[0]["messages"]]}))
            continue
        name = pane.name if pane.folder is not None else first
        task, (inputs,) = questions.read_question(pane.task, name, question.prompt, question.inputs)
        labels = () if question.free_text else questions.labels_of(pane.task)
        asked.append(AskedPane(place, pane, task, inputs, labels))
    return asked


def answer_group(
    loaded: Loaded,
    names: Sequence[str],
    asked: Sequence[AskedPane],
    question: Question,
    *,
    judged: Task | None = None,
    most_new_tokens: int = 0,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[PaneAnswer]:
    """Yields the answers of these panes as they grow. names: theirs in the stack of the base. judged: the task that
    the question's reference belongs to. Raises AdapterError, BaseError, DataError, SpecError."""
    from lora_hub.answering import questions

    for one in asked:
        questions.check_length(loaded.stack, one.inputs)
    views: list[PaneAnswer] = []
    rows: list[Any] = []  # questions.Asked, each pane's samples one behind the other
    whose: list[tuple[int, int]] = []  # place in `views`, which of its answers
    for number, (one, name) in enumerate(zip(asked, names, strict=True)):
        view, put = _put(loaded, name, one, question)
        copies = question.samples if not one.labels else 1
        if not put:
            yield view
        elif copies > 1:
            view = view.model_copy(update={"more": (Answer(),) * (copies - 1)})
        views.append(view)
        rows += [replace(row, seed=sample) for row in put for sample in range(copies)]
        whose += [(number, sample) for _row in put for sample in range(copies)]
    writing = [one for one in asked if not one.labels]
    most = question.max_new_tokens or max((one.most_tokens for one in writing), default=1)
    most = min(most, most_new_tokens or most)
    for row, answer in questions.stream(
        loaded.stack,
        loaded.tokenizer,
        rows,
        max_new_tokens=most,
        temperature=question.temperature,
        top_p=question.top_p,
        seed=question.seed,
        cancelled=cancelled,
        visitors=loaded.visitors,
    ):
        number, sample = whose[row]
        views[number] = view = _grown(views[number], sample, answer)
        if view.done:
            views[number] = view = _proved(view, loaded, asked[number], rows[row - sample], question, judged)
        yield view


def _put(loaded: Loaded, name: str, one: AskedPane, question: Question) -> tuple[PaneAnswer, list[Any]]:
    """The pane before its answer, and its question to the stack; none where it has no examples to be asked with."""
    from lora_hub.answering import questions
    from lora_hub.answering.prefill import context_length

    pane, tokenizer = one.pane, loaded.tokenizer_of(one.pane)
    shown, view, calibration = (), one.view(), pane.calibration
    if pane.name == BASE_EXAMPLES:
        context = context_length(loaded.stack)
        found = find_examples(question, pane, one.task, one.inputs, tokenizer, context)
        view = one.view(examples=len(found.rows), note=found.note)
        if not found.rows:
            return view.ended("skipped"), []
        shown, calibration = found.rows, calibration if found.is_exams else None
    return view, questions.put(
        tokenizer, one.task, [one.inputs], adapter=name, calibration=calibration, shown=shown, labels=one.labels
    )


def _grown(view: PaneAnswer, sample: int, answer: Answer) -> PaneAnswer:
    """The pane with one of its answers as it is now."""
    changed: dict[str, Any] = {"answer": answer}
    if sample:
        changed = {"more": (*view.more[: sample - 1], answer, *view.more[sample:])}
    if not view.first_seconds and answer.tokens:
        changed["first_seconds"] = answer.seconds
    return view.model_copy(update=changed)


def _proved(
    view: PaneAnswer, loaded: Loaded, one: AskedPane, row: Any, question: Question, judged: Task | None
) -> PaneAnswer:
    """The complete pane with how far its first answer is from the base's, and what it is worth."""
    from lora_hub.answering import generate
    from lora_hub.evaluation import metrics

    divergence: Divergence | None = None
    judgement: Judgement | None = None
    if view.answer.finish == "cancelled":
        return view
    if one.pane.folder is not None:
        prompt = generate.PromptRow(ids=row.ids, adapter=row.adapter)
        divergence = generate.divergence(loaded.stack, loaded.tokenizer, prompt, view.answer.ids)
    task = one.pane.task
    if judged is not None and task is not None and task.id == judged.id:
        if not task.labels or question.reference in task.labels:
            judgement = metrics.judge(judged, [view.answer.text], [question.reference])[0]
    return view.model_copy(update={"divergence": divergence, "judgement": judgement})
