"""What everybody answers to the examples that the search did not see, and whether a sum is offered.

    composed.is_offered, composed.said

It is offered only where it is better than both opponents. Each test is at 5 %, and both have to pass, so that a false
offer is no more likely than one false "better" (an intersection-union test; Berger 1982).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_hub.compare.composing.searching import FoundWeights
from lora_hub.compare.composing.splitting import Halves
from lora_hub.compare.loaded_bases import Loaded
from lora_hub.core import verdicts
from lora_hub.core.errors import RunError
from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, Answer, Calibration, PairedComparison, Scores, Task


@dataclass(frozen=True)
class Composed:
    """What was found. names: of the adapters, in the order of `weights`. best: the single adapter that scored highest.
    scores: of "adapter" (the sum; missing where it is the base itself), "base" and "base_examples"; singles: of each
    adapter alone.
    single, base: the sum against the best single one, and against the base's better way; None where there is no sum.
    rank: the largest of its layers; ranks: of each adapter's. shown: examples that the base was shown. asking: as
    `exam.asking`. region_rows: examples by which the router finds the sum; 0: it does not."""

    names: tuple[str, ...]
    found: FoundWeights
    best: str
    metric: str
    judged: int
    scores: dict[str, Scores]
    singles: dict[str, Scores]
    single: PairedComparison | None = None
    base: PairedComparison | None = None
    rank: int = 0
    ranks: tuple[int, ...] = ()
    region_rows: int = 0
    shown: int = 0
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    asking: dict[str, Any] = field(default_factory=dict)

    @property
    def is_offered(self) -> bool:
        """Whether it is better than both opponents."""
        return all(one is not None and one.verdict == "better" for one in (self.single, self.base))

    @property
    def said(self) -> Message:
        """What was found, in sentences, with the numbers."""
        if self.single is None or self.base is None:
            return joined(
                _("No sum of these adapters is better than the base on the examples: every weight became 0."),
                _opponent(self.metric, self.singles[self.best][self.metric].value, self.best),
            )
        parts = [
            _("The sum is better than the best single adapter and than the base.")
            if self.is_offered
            else _("The sum is not surely better than both the best single adapter and the base, and is not offered."),
            _against(self.single, self.best),
            _against(self.base, BASES[self.base.against]),
        ]
        if self.judged < verdicts.LEAST_ROWS:
            parts.append(
                _n(
                    "{count:,} example to judge on is too few for any difference to be sure.",
                    "{count:,} examples to judge on are too few for any difference to be sure.",
                    count=self.judged,
                )
            )
        return joined(*parts)


BASES = {BASE: _("the base"), BASE_EXAMPLES: _("the base with examples in its prompt")}


def _title(metric: str) -> Message:
    from lora_hub.evaluation import metrics

    return metrics.title_of(metric)


def _opponent(metric: str, value: float, name: str) -> Message:
    return _("The best single adapter is {name}: {metric} {value:.1f}.", name=name, metric=_title(metric), value=value)


def _against(found: PairedComparison, name: str | Message) -> Message:
    return _(
        "{metric} {score:.1f} against {other:.1f} of {name}: {said}",
        metric=_title(found.metric),
        score=found.adapter,
        other=found.base,
        name=name,
        said=verdicts.describe(found),
    )


def judge(
    loaded: Loaded,
    task: Task,
    halves: Halves,
    singles: dict[str, str],
    made: Path | None,
    found: FoundWeights,
    seed: int,
    told: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> Composed:
    """Everybody's answers to the examples that the search did not see. singles: names in the stack by the adapters'.
    made: the sum's folder. The base is calibrated on the others, as in an exam; the opponent is the adapter that scores
    highest on these very rows, which is more than a choice beforehand would give it."""
    from lora_hub.answering import questions
    from lora_hub.answering.prefill import context_length
    from lora_hub.data.prompts.split import cluster_examples
    from lora_hub.evaluation import exam, metrics
    from lora_hub.evaluation.examples import choose_examples

    stack, tokenizer, judged = loaded.stack, loaded.tokenizer, halves.judged
    clusters, metric = cluster_examples(judged), task.metrics[0]
    references = [one.answer for one in judged]
    calibrations: dict[str, Calibration] = {}

    def answered(slot: str, who: str = "", shown: tuple = ()) -> list[Answer]:
        if who and questions.labels_of(task):
            rows = [one for one in halves.fitted if (one.inputs, one.answer) not in shown]
            fitted = exam.calibrate(stack, tokenizer, task, rows, halves.fitted, shown=shown, cancelled=cancelled)
            if fitted is not None:
                calibrations[who] = fitted
        answers = exam.answer_examples(
            stack,
            tokenizer,
            task,
            judged,
            slot,
            calibration=calibrations.get(who),
            shown=shown,
            cancelled=cancelled,
        )
        if cancelled():
            raise stopped()
        told(len(judged))
        return answers

    shown = choose_examples(
        tokenizer,
        task,
        halves.fitted,
        [one.inputs for one in [*judged, *halves.fitted]],
        context=context_length(stack),
        seed=seed,
    )
    answers = {BASE: answered(BASE, BASE)}
    if shown:
        answers[BASE_EXAMPLES] = answered(BASE, BASE_EXAMPLES, shown)
    each = {name: answered(slot) for name, slot in singles.items()}
    if made is not None:
        stack.attach(made, str(made))
        with stack.in_use([stack.adapter(str(made))]):
            answers[ADAPTER] = answered(str(made))
        stack.detach(str(made))
    scores, alone = (
        {who: exam.score_answers(task, of, judged, clusters) for who, of in some.items()} for some in (answers, each)
    )
    losses = dict(zip(singles, found.singles, strict=True))
    best = max(each, key=lambda name: (alone[name][metric].value, -losses[name]))
    compared: dict[str, Any] = {}
    if made is not None:
        ours, theirs = ([answer.text for answer in of] for of in (answers[ADAPTER], each[best]))
        compared["single"] = metrics.compare_answers(metric, ours, theirs, references, clusters=clusters, against=best)
        compared["base"] = exam.compare_answers(task, answers, judged, scores, clusters)
    return Composed(
        tuple(singles),
        found,
        best,
        metric,
        len(judged),
        scores,
        alone,
        shown=len(shown),
        calibrations=calibrations,
        asking=exam.asking(stack, tokenizer),
        **compared,
    )


def stopped() -> RunError:
    """What is raised where the person stops it."""
    return RunError(_("The search was stopped before its end; nothing was saved."), _("Compose again."))
