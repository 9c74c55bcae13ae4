"""The nouns (frozen data) of answering; `schema` exports them too."""

from typing import Any, Literal

from lora_hub.core.messages import Message
from lora_hub.core.noun import Noun
from lora_hub.core.task_nouns import Task

# Who answers: the base with the plain prompt, the base with few-shot examples, the adapter that a run goes on from, or
# an adapter. The scores, answers and calibrations of a run use these as keys.
BASE, BASE_EXAMPLES, PARENT, ADAPTER = "base", "base_examples", "parent", "adapter"
# Stands among the adapters of a question for the one that the router chooses. No run and no repo has this name: a run's
# id begins with its task, and a repo called auto is owner/auto.
AUTO = "auto"
# Nats. Below this, the adapter's distribution differs from the base's only by the order of summation.
SAME_KL = 1e-6


class Answer(Noun):
    """The answer to one question: complete, or as much of it as exists so far.

    text: free text, or the label that was chosen. probabilities: of each label, in the task's order (they add up to 1);
    empty for free text. tokens: tokens of the answer, without the end token. ids: their token ids. seconds: from the
    question to the end of the answer, or until now. finish: "stop", "length", "cancelled", or "skipped" where there
    was nothing to ask with; empty while unfinished.
    """

    text: str = ""
    probabilities: dict[str, float] = {}
    tokens: int = 0
    seconds: float = 0.0
    finish: Literal["", "stop", "length", "cancelled", "skipped"] = ""
    ids: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        return bool(self.finish)

    @property
    def confidence(self) -> float:
        """The probability of the chosen label (0 to 1)."""
        return self.probabilities.get(self.text, 0.0)


class Calibration(Noun):
    """The correction of a model's log-likelihoods of a task's labels before one label is chosen. Each is multiplied by
    `scale`, then its offset is added (nats, in the order of the task's labels). rows: how many rows it was fitted on;
    none of them is scored. with_end: whether the likelihoods it was fitted on count the end token, as all did before
    this was written down."""

    offsets: tuple[float, ...]
    scale: float = 1.0
    rows: int = 0
    with_end: bool = True


class Judgement(Noun):
    """The value of one answer by its task's first metric. score: 0 to 100 per cent. right: None for a graded metric,
    where no answer is simply right or wrong."""

    metric: str
    score: float
    right: bool | None = None


class Divergence(Noun):
    """How far an adapter's answer is from the base's. kl: nats, between the first-token distributions. changed: share
    of answer tokens (0 to 1) where the adapter's first choice is not the base's."""

    kl: float
    changed: float

    @property
    def is_none(self) -> bool:
        """Whether the adapter changes nothing: what is left is rounding error."""
        return self.kl <= SAME_KL and self.changed == 0


class PaneAnswer(Noun):
    """What one pane of a side-by-side comparison has answered so far.

    pane: its position. name, revision (commit), version (tag): as in `compare.Pane`. base: whose weights answered.
    strength: 1: the adapter as it was trained. answer: the first one; more: the others where several were drawn.
    first_seconds: from the question to the first text. divergence: of an adapter's complete answer, from the base asked
    with that adapter's own task. judgement: of a complete answer, if the right answer is known and belongs to the
    pane's task. task: the task that the prompt was rendered with; None: the prompt as typed. examples: how many the
    prompt showed. note: where they are from, or why there are none; of a pane that the router chose: why.
    """

    pane: int
    name: str
    revision: str = ""
    version: str = ""
    base: str = ""
    strength: float = 1.0
    answer: Answer = Answer()
    more: tuple[Answer, ...] = ()
    first_seconds: float = 0.0
    examples: int = 0
    note: Message | None = None
    divergence: Divergence | None = None
    judgement: Judgement | None = None
    task: Task | None = None

    @property
    def done(self) -> bool:
        return all(one.done for one in self.answers)

    @property
    def answers(self) -> tuple[Answer, ...]:
        return (self.answer, *self.more)

    @property
    def tokens_per_second(self) -> float:
        """Of all its answers; 0 while there is none."""
        seconds = max(one.seconds for one in self.answers)
        return sum(one.tokens for one in self.answers) / seconds if seconds else 0.0

    def ended(self, finish: str) -> "PaneAnswer":
        """The same with every answer that goes on ended in this way."""
        first, *more = (one if one.done else one.model_copy(update={"finish": finish}) for one in self.answers)
        return self.model_copy(update={"answer": first, "more": tuple(more)})

    def to_json(self) -> dict[str, Any]:
        """For programs. seconds, first_seconds: since the question; probabilities: of each label, 0 to 1; samples:
        every answer, where several were drawn."""
        shown = {"examples": self.examples, "note": self.note.en if self.note else ""}
        drawn = [
            {"text": one.text, "tokens": one.tokens, "seconds": round(one.seconds, 3), "finish": one.finish}
            for one in (self.answers if self.more else ())
        ]
        return {
            "adapter": self.name,
            "revision": self.revision,
            "version": self.version,
            "base": self.base,
            "strength": self.strength,
            "text": self.answer.text,
            "probabilities": {label: round(share, 6) for label, share in self.answer.probabilities.items()},
            "tokens": self.answer.tokens,
            "seconds": round(self.answer.seconds, 3),
            "first_seconds": round(self.first_seconds, 3),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "finish": self.answer.finish,
            "divergence": self.divergence.model_dump() if self.divergence else None,
            **({"samples": drawn} if drawn else {}),
            **(shown if self.examples or self.note else {}),
        }


class HeldOutRow(Noun):
    """A held-out row with every model's answer to it and the value of that answer. row: its number in the file. prompt:
    the prompt as text. reference: the right answer, or several. answers, judgements: by who answered ("base",
    "base_examples", "adapter")."""

    row: int
    inputs: dict[str, Any]
    prompt: str = ""
    reference: str | tuple[str, ...]
    answers: dict[str, Answer]
    judgements: dict[str, Judgement] = {}
