"""The nouns of answering; `schema` has them, too."""

from typing import Any, Literal

from lora_hub.core.noun import Noun
from lora_hub.core.task_nouns import Task

# Who answers: the base as it is, the base with examples before the question, an adapter. Scores, answers and
# calibrations of a run are keyed by it.
BASE, BASE_EXAMPLES, ADAPTER = "base", "base_examples", "adapter"
# Nats: below it an adapter's distribution is the base's, summed in another order.
SAME_KL = 1e-6


class Answer(Noun):
    """What was answered to one question, wherever it was asked: the whole answer, or as much of it as there is yet.
    text: free text, or the label that was chosen. probabilities: of each label, in the task's order (they add up to 1);
    empty: the text was written freely. tokens: of the answer, without the end token; ids: these. seconds: from the
    question to the answer's end, or to now. finish: "stop", "length" or "cancelled"; empty: not done."""

    text: str = ""
    probabilities: dict[str, float] = {}
    tokens: int = 0
    seconds: float = 0.0
    finish: Literal["", "stop", "length", "cancelled"] = ""
    ids: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        return bool(self.finish)

    @property
    def confidence(self) -> float:
        """The probability of the label that was chosen (0 to 1)."""
        return self.probabilities.get(self.text, 0.0)


class Calibration(Noun):
    """What is done to a model's log likelihoods of a task's labels before one is chosen: each is multiplied by `scale`
    and gets its offset (nats, in the order of the task's labels). rows: how many rows, none of them scored, it was
    fitted on."""

    offsets: tuple[float, ...]
    scale: float = 1.0
    rows: int = 0


class Judgement(Noun):
    """What one answer is worth by its task's first metric. score: 0 to 100 per cent. right: None where the metric knows
    more than right and wrong, so that no answer is simply one of the two."""

    metric: str
    score: float
    right: bool | None = None


class Divergence(Noun):
    """How far an adapter's answer is from the base's. kl: nats, of the first-token distributions; changed: share of
    answer tokens (0 to 1) where the adapter's first choice is not the base's."""

    kl: float
    changed: float

    @property
    def is_none(self) -> bool:
        """Whether the adapter changes nothing: what is left is rounding, not learning."""
        return self.kl <= SAME_KL and self.changed == 0


class PaneAnswer(Noun):
    """What one of those that are asked side by side has answered so far. pane: its place among them. name, revision: as
    of `compare.Pane`. divergence: of a whole answer of an adapter, from the base asked that adapter's own task.
    judgement: of a whole answer, where the right one is known and the pane is of the task that it is the answer to.
    task: the one that was put to it; None: the prompt as it is."""

    pane: int
    name: str
    revision: str = ""
    answer: Answer = Answer()
    divergence: Divergence | None = None
    judgement: Judgement | None = None
    task: Task | None = None

    @property
    def done(self) -> bool:
        return self.answer.done


class HeldOutRow(Noun):
    """A row that was not trained on, with everybody's answer to it and what that is worth. row: its number in the
    file. prompt: the question in words. reference: the right answer, or several. answers, judgements: by who answered
    ("base", "base_examples", "adapter")."""

    row: int
    inputs: dict[str, Any]
    prompt: str = ""
    reference: str | tuple[str, ...]
    answers: dict[str, Answer]
    judgements: dict[str, Judgement] = {}
