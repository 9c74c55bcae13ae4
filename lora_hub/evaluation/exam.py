"""The exam: base and adapter answer the same held-out rows, put to them in the same words, and are judged alike.

The base gets its best chance before an adapter is said to beat it: it is asked as it is and, where they fit its
context, with examples from the training rows before the question; and its choices between labels are calibrated on rows
that are not scored. How a question is answered is `answering`'s and how an answer is judged `metrics`', here as in the
panes. They answer one after another: rows of both in one batch took 0.94 to 1.24 times as long on a CPU (labels 0.97,
texts 1.19 on the built-in base, labels 1.01 on SmolLM2-135M; the answers were the same), as a batch is full either way
and an adapter that answers alone does so within the base's weights. Used by worker.py (at the end of a run) and
compare.py (`compare --test FILE`).
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lora_hub.answering import generate, questions
from lora_hub.answering.calibration import fit_calibration
from lora_hub.answering.exam_work import MOST_CALIBRATED, MOST_EXAMPLES, calibration_rows
from lora_hub.answering.prefill import context_length
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.schema import (
    ADAPTER,
    BASE,
    BASE_EXAMPLES,
    PARENT,
    Answer,
    Calibration,
    HeldOutRow,
    PairedComparison,
    PartScore,
    Scores,
    Task,
    TrainSpec,
)
from lora_hub.data.prompts import template
from lora_hub.data.prompts.prepare import Example
from lora_hub.data.prompts.split import cluster_examples
from lora_hub.evaluation import metrics, statistics
from lora_hub.evaluation.calibration_error import calibration_error
from lora_hub.evaluation.examples import choose_examples

# The name of the calibration error beside the task's metrics.
CALIBRATION_ERROR = "calibration_error"


@dataclass
class Exam:
    """What came out, by who answered. over_parent: against the adapter that it goes on from, if it does. shown: the
    examples that stood before each question of "base_examples"."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    comparison: PairedComparison | None = None
    over_parent: PairedComparison | None = None
    shown: tuple[tuple[dict[str, Any], str], ...] = ()


def hold_exam(
    stack: AdapterStack,
    tokenizer: Any,
    task: Task,
    scored: list[Example],
    adapter: str,
    *,
    trained: list[Example],
    unscored: list[Example],
    parent: str = "",
    seed: int = 0,
    begin: Callable[[str], None] = lambda who: None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exam | None:
    """Base and adapter (an attached one's name) on the rows of `scored`; None where it was cancelled.

    trained: where the base's examples and the labels' shares come from. unscored: validation rows, on which the base is
    calibrated, with some of the training rows where they are few. parent: the name of the attached adapter that this
    one goes on from; it answers the same rows. begin: told who answers next. progress: rows done,
    rows in all, of who answers.
    """
    exam = Exam()
    clusters = cluster_examples(scored)
    wanted = calibration_rows(len(unscored), len(trained))[1] if questions.labels_of(task) else 0
    joining = random.Random(seed).sample(trained, min(len(trained), wanted + MOST_EXAMPLES if wanted else 0))
    shown = choose_examples(
        tokenizer,
        task,
        trained,
        [example.inputs for example in [*scored, *unscored, *joining]],
        context=context_length(stack),
        seed=seed,
    )
    exam.shown = shown
    # An example that stands before the question is no question itself.
    joining = [example for example in joining if (example.inputs, example.answer) not in shown][:wanted]
    asked = {BASE: BASE, BASE_EXAMPLES: BASE, PARENT: parent, ADAPTER: adapter}
    for who in asked:
        if (who == BASE_EXAMPLES and not shown) or not asked[who]:
            continue
        begin(who)
        before = shown if who == BASE_EXAMPLES else ()
        if who in (BASE, BASE_EXAMPLES) and questions.labels_of(task):
            fitted = calibrate(
                stack, tokenizer, task, [*unscored, *joining], trained, shown=before, cancelled=cancelled
            )
            if fitted is not None:
                exam.calibrations[who] = fitted
        exam.answers[who] = answer_examples(
            stack,
            tokenizer,
            task,
            scored,
            asked[who],
            calibration=exam.calibrations.get(who),
            shown=before,
            progress=progress,
            cancelled=cancelled,
        )
        if cancelled():
            return None
        exam.scores[who] = score_answers(task, exam.answers[who], scored, clusters)
    exam.comparison = compare_answers(task, exam.answers, scored, exam.scores, clusters)
    if PARENT in exam.answers:
        exam.over_parent = metrics.compare_answers(
            task.metrics[0],
            _texts(exam.answers[ADAPTER]),
            _texts(exam.answers[PARENT]),
            [example.answer for example in scored],
            clusters=clusters,
            against=PARENT,
        )
    return exam


def answer_examples(
    stack: AdapterStack,
    tokenizer: Any,
    task: Task,
    examples: list[Example],
    adapter: str,
    *,
    calibration: Calibration | None = None,
    shown: template.Shown = (),
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Answer]:
    """The answers of one adapter ("base": of the base) to the examples, in their order."""
    asked = questions.put(
        tokenizer, task, [example.inputs for example in examples], adapter=adapter, calibration=calibration, shown=shown
    )
    return questions.answer_all(
        stack, tokenizer, asked, max_new_tokens=task.max_new_tokens, progress=progress, cancelled=cancelled
    )


def calibrate(
    stack: AdapterStack,
    tokenizer: Any,
    task: Task,
    unscored: list[Example],
    trained: list[Example],
    *,
    shown: template.Shown = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Calibration | None:
    """The base's calibration on rows that are not scored; None where it was cancelled, or none of them has a known
    label."""
    known = {label: place for place, label in enumerate(task.labels)}
    rows = [example for example in unscored if example.answer in known][:MOST_CALIBRATED]
    asked = questions.put(tokenizer, task, [example.inputs for example in rows], shown=shown)
    logs = questions.label_likelihoods(stack, tokenizer, asked, all_exact=True, cancelled=cancelled)
    if not logs:
        return None
    counts = Counter(example.answer for example in trained)
    total = max(1, sum(counts[label] for label in task.labels))
    right, shares = [known[example.answer] for example in rows], [counts[label] / total for label in task.labels]
    return fit_calibration(logs, right, shares, with_end=asked[0].ends)


def asking(stack: AdapterStack, tokenizer: Any) -> dict[str, Any]:
    """What the code on a card has to know to give the answers of the exam (`snippet.write`): how the tokenizer asks and
    stops, all tokens that end an answer, and what the model computes in."""
    ends = [tokenizer.convert_ids_to_tokens(token) for token in sorted(generate.end_token_ids(stack.model, tokenizer))]
    return {**template.asking(tokenizer), "end_tokens": ends, "dtype": str(stack.model.dtype).removeprefix("torch.")}


def score_answers(task: Task, answers: list[Answer], examples: list[Example], clusters: Any = None) -> Scores:
    """The task's metrics, in per cent with 95 % intervals, and of a task with labels the calibration error; each row's
    own answer is its reference. clusters: of rows that are nearly the same (`split.cluster_examples`), where several
    models are scored and they are known already."""
    clusters = cluster_examples(examples) if clusters is None else clusters
    scores = metrics.score(task, _texts(answers), [example.answer for example in examples], clusters=clusters)
    if questions.labels_of(task) and all(answer.probabilities for answer in answers):
        right = [
            metrics.normalize_label(answer.text) == metrics.normalize_label(one.answer)
            for answer, one in zip(answers, examples, strict=True)
        ]
        scores[CALIBRATION_ERROR] = calibration_error([answer.confidence for answer in answers], right, clusters)
    return scores


def score_parts(
    spec: TrainSpec, task: Task, trained: list[Example], scored: list[Example], answers: dict[str, list[Answer]]
) -> list[PartScore]:
    """Base and adapter on the held-out rows of each file, where several are one dataset; none where it is one, or where
    rows of another file were scored."""
    data, metric = spec.dataset, task.metrics[0]
    if len(data.parts) < 2 or spec.test_dataset is not None:
        return []
    found, seen = [], data.count_seen(one.row for one in trained)
    for number, part in enumerate(data.parts):
        places = [place for place, one in enumerate(scored) if data.part_of(one.row) == number]
        references, told = [scored[place].answer for place in places], {}
        for who in (BASE, ADAPTER) if places else ():
            texts = [answers[who][place].text for place in places]
            told[who] = metrics.score(task, texts, references)[metric]
        found.append(PartScore(name=part.name, weight=part.weight, metric=metric, trained=seen[number], **told))
    return found


def compare_answers(
    task: Task,
    answers: dict[str, list[Answer]],
    examples: list[Example],
    scores: dict[str, Scores],
    clusters: Any = None,
) -> PairedComparison:
    """The adapter against the better of the base's ways on the same rows. answers, scores: by who answered."""
    clusters = cluster_examples(examples) if clusters is None else clusters
    texts = {who: _texts(of) for who, of in answers.items()}
    return metrics.compare(task, texts, [example.answer for example in examples], scores, clusters=clusters)


def compare_all(
    task: Task,
    answers: dict[str, list[Answer]],
    examples: list[Example],
    scores: dict[str, Scores],
    clusters: Any,
    ways: Mapping[str, Mapping[str, str]],
) -> dict[str, PairedComparison]:
    """Each of several adapters against its own base; the more there are, the surer each has to be (Holm 1979). ways:
    of each adapter, how its base was asked ("base", "base_examples") and by what name that answered."""
    found = {
        name: compare_answers(
            task,
            {**{way: answers[who] for way, who in of.items()}, ADAPTER: answers[name]},
            examples,
            {way: scores[who] for way, who in of.items()},
            clusters,
        )
        for name, of in ways.items()
    }
    return dict(zip(found, statistics.adjust_for_several(list(found.values())), strict=True))


def _texts(answers: list[Answer]) -> list[str]:
    return [answer.text for answer in answers]


def held_out_rows(task: Task, examples: list[Example], answers: dict[str, list[Answer]]) -> list[HeldOutRow]:
    """Each row with everybody's answer and what that is worth. answers: by who answered."""
    rows = [
        HeldOutRow(
            row=example.row,
            inputs=example.inputs,
            prompt=example.inputs["messages"][-1]["content"]
            if task.is_chat
            else template.render_prompt(task, example.inputs),
            reference=example.answer,
            answers={who: of[index] for who, of in answers.items()},
        )
        for index, example in enumerate(examples)
    ]
    return metrics.judge_rows(task, rows)
