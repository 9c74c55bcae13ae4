"""The one way to answer and to judge: the exam, the panes, the test sets and the card's figures all come through here.

    asked = put(tokenizer, task, rows, adapter="spam")            rows: inputs by role
    answers = answer_all(stack, tokenizer, asked, max_new_tokens=task.max_new_tokens)
    for place, answer in stream(stack, tokenizer, asked, max_new_tokens=64): ...       as they come

A task with labels is answered with the label whose whole likelihood is highest (`likelihood`), calibrated where a
calibration is given, and with a probability of each; never with anything else, unless free text is asked for. Other
tasks are answered by greedy generation. What an answer is worth is `metrics.judge`'s.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lora_hub.answering import generate
from lora_hub.answering.calibration import probabilities
from lora_hub.answering.label_visitors import LabelQueue
from lora_hub.answering.likelihood import LabelRow, label_tokens, score_labels
from lora_hub.answering.prefill import context_length
from lora_hub.answering.stack import AdapterStack
from lora_hub.answering.visitors import AnswerQueue
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, Answer, Calibration, Task
from lora_hub.data.prompts import template

# Characters of the longest tokens there are (runs of spaces in vocabularies made for code).
LONGEST_TOKEN = 128


@dataclass(frozen=True)
class Asked:
    """One question, ready to be answered. ids: the prompt's tokens. adapter: an attached one's name, or "base". labels,
    choices: what may be answered, as text and as the tokens that are judged (`likelihood.label_tokens`); empty:
    anything. ends: whether the end token is among them. tokenizer: it was put with. seed: added to that of the stream,
    where one question is asked several times."""

    ids: list[int]
    adapter: str = BASE
    labels: tuple[str, ...] = ()
    choices: list[list[int]] | None = None
    calibration: Calibration | None = None
    tokenizer: Any = None
    ends: bool = False
    seed: int = 0


def labels_of(task: Task | None) -> tuple[str, ...]:
    """The labels with one of which a task is answered; none where it is answered in free text."""
    return task.labels if task is not None and task.output == "labels" else ()


def put(
    tokenizer: Any,
    task: Task | None,
    rows: list[dict[str, Any]],
    *,
    adapter: str = BASE,
    calibration: Calibration | None = None,
    shown: template.Shown = (),
    labels: tuple[str, ...] | None = None,
) -> list[Asked]:
    """Rows of inputs as questions to one model, in its own template. shown: examples before each question. labels: what
    may be answered where it is not what the task says; empty: anything, in the model's own words. Raises DataError
    where an input is missing."""
    prompts = template.encode_prompts(tokenizer, task, rows, shown)
    labels = labels_of(task) if labels is None else labels
    if not labels:
        return [Asked(ids, adapter, tokenizer=tokenizer) for ids in prompts]
    ended = template.encode_answers(tokenizer, list(labels))
    # A calibration takes out of likelihoods what was in those it was fitted on.
    choices = ended if calibration is not None and calibration.with_end else label_tokens(ended)
    return [Asked(ids, adapter, labels, choices, calibration, tokenizer, choices is ended) for ids in prompts]


def read_question(
    task: Task | None, name: str, prompt: str, inputs: dict[str, Any] | None
) -> tuple[Task | None, list[dict[str, Any]]]:
    """What a person asks an adapter of this task and name: the task whose template it is put in (None: as it is), and
    its one row of inputs, from a bare prompt or from inputs by role. Raises DataError where there is nothing to ask,
    SpecError where an input is unknown or one is left out."""
    if inputs is None:
        if not prompt.strip():
            raise DataError(_("The prompt is empty."), _("Type what is to be answered."))
        if task is not None and task.is_chat:
            return task, [{"messages": [{"role": "user", "content": prompt}]}]
        needed = [role for role in task.inputs if role not in task.optional_inputs] if task else []
        return (task, [{needed[0]: prompt}]) if len(needed) == 1 else (None, [{"text": prompt}])
    if task is None:
        return None, [{"text": "\n".join(map(template.as_text, inputs.values()))}]
    unknown = [role for role in inputs if role not in task.inputs and not (task.is_chat and role == "tools")]
    missing = [role for role in task.inputs if role not in task.optional_inputs and role not in inputs]
    if unknown or missing:
        raise SpecError(
            _("The task {task} of {name} has no input {role!r}.")
            if unknown
            else _("The task {task} of {name} needs the input {role!r}, too."),
            _("Its inputs: {inputs}."),
            task=task.id,
            name=name,
            role=[*unknown, *missing][0],
            inputs=task.inputs,
        )
    if task.is_chat and isinstance(inputs["messages"], str):  # a shell has no other way to say it
        return task, [{**inputs, "messages": [{"role": "user", "content": inputs["messages"]}]}]
    return task, [inputs]


def check_length(stack: AdapterStack, inputs: dict[str, Any]) -> None:
    """Raises DataError where a question can't fit into the base's context, whatever its tokens are: ten million
    characters take a tokenizer 14 seconds, in which nobody else is answered."""
    characters, context = sum(len(template.as_text(value)) for value in inputs.values()), context_length(stack)
    if characters > LONGEST_TOKEN * context:
        raise DataError(
            _(
                "The question is {count:,} characters long, and {base!r} reads at most {context} tokens, answer "
                "included."
            ),
            _("Shorten it, or choose a base with a longer context."),
            count=characters,
            base=stack.base.id,
            context=context,
        )


def label_likelihoods(
    stack: AdapterStack,
    tokenizer: Any,
    asked: list[Asked],
    *,
    all_exact: bool = False,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[list[float]] | None:
    """For each question the log likelihood of each label, in nats and not calibrated; None where it was cancelled."""
    rows = [LabelRow(one.ids, one.adapter, one.choices, one.calibration) for one in asked]
    return score_labels(
        stack, rows, tokenizer.pad_token_id, all_exact=all_exact, progress=progress, cancelled=cancelled
    )


def open_label_queue(stack: AdapterStack, tokenizer: Any) -> LabelQueue:
    """The queue in which all visitors of a base who ask for labels are scored together."""

    def score(asked: list[Asked], is_over: Callable[[], bool]) -> list[list[float]] | None:
        return label_likelihoods(stack, tokenizer, asked, cancelled=is_over)

    return LabelQueue(score)


def answer_likelihoods(stack: AdapterStack, tokenizer: Any, asked: list[Asked], answers: list[str]) -> list[float]:
    """For each question in free text the log likelihood of this one answer, its end included, in nats a token."""
    ids = template.encode_answers(tokenizer, answers)
    rows = [LabelRow(one.ids, one.adapter, [answer]) for one, answer in zip(asked, ids, strict=True)]
    scored = score_labels(stack, rows, tokenizer.pad_token_id) or []
    return [log / len(answer) for (log,), answer in zip(scored, ids, strict=True)]


def choose(asked: Asked, logs: list[float], seconds: float = 0.0) -> Answer:
    """The label of the highest probability, the first of equal ones. Weights that are too large leave no numbers: that
    is no label, and not the first one."""
    chances = probabilities(logs, asked.calibration)
    if not all(map(math.isfinite, chances)):
        return Answer(seconds=seconds, finish="stop")
    best = max(range(len(chances)), key=lambda label: chances[label])
    ids = tuple(asked.choices[best][: -1 if asked.ends else None])
    named = dict(zip(asked.labels, chances, strict=True))
    return Answer(
        text=asked.labels[best], probabilities=named, tokens=len(ids), seconds=seconds, finish="stop", ids=ids
    )


def answer_all(
    stack: AdapterStack,
    tokenizer: Any,
    asked: list[Asked],
    *,
    max_new_tokens: int,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Answer]:
    """The answers to questions of one kind (all with labels, or none), in their order. Raises as
    generate.answer_all."""
    if not asked or asked[0].choices is None:
        rows = [generate.PromptRow(ids=one.ids, adapter=one.adapter, tokenizer=one.tokenizer) for one in asked]
        answers = generate.answer_all(
            stack, tokenizer, rows, max_new_tokens=max_new_tokens, progress=progress, cancelled=cancelled
        )
        return [_stripped(answer) for answer in answers]
    start = time.perf_counter()
    scored = label_likelihoods(stack, tokenizer, asked, progress=progress, cancelled=cancelled)
    if scored is None:
        return [Answer(finish="cancelled") for _ in asked]
    seconds = time.perf_counter() - start
    return [choose(one, logs, seconds) for one, logs in zip(asked, scored, strict=True)]


def stream(
    stack: AdapterStack,
    tokenizer: Any,
    asked: list[Asked],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    cancelled: Callable[[], bool] | None = None,
    visitors: AnswerQueue | None = None,
) -> Iterator[tuple[int, Answer]]:
    """(place of the question, its answer so far), of questions of any kind. Labels come first: they take one pass, and
    nobody waits for them. temperature, top_p, seed: of texts; of equal ones the same draws. Raises as
    generate.stream."""
    labelled = [place for place, one in enumerate(asked) if one.choices is not None]
    chosen = answer_all(
        stack, tokenizer, [asked[place] for place in labelled], max_new_tokens=max_new_tokens, cancelled=cancelled
    )
    yield from zip(labelled, chosen, strict=True)
    written = [place for place, one in enumerate(asked) if one.choices is None]
    if not written:
        return
    rows = [
        generate.PromptRow(
            ids=asked[place].ids,
            adapter=asked[place].adapter,
            seed=seed + asked[place].seed,
            tokenizer=asked[place].tokenizer,
        )
        for place in written
    ]
    for row, answer in generate.stream(
        stack,
        tokenizer,
        rows,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        cancelled=cancelled,
        visitors=visitors,
    ):
        yield written[row], _stripped(answer)


def _stripped(answer: Answer) -> Answer:
    """Without the spaces around it, which belong to no answer."""
    return answer.model_copy(update={"text": answer.text.strip()})
