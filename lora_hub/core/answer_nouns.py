"""The nouns of answering; `schema` has them, too."""

from typing import Literal

from lora_hub.core.noun import Noun


class Answer(Noun):
    """What was answered to one question, wherever it was asked. text: free text, or the label that was chosen.
    probabilities: of each label, in the task's order (they add up to 1); empty: the text was written freely. tokens: of
    the answer, without the end token; ids: these. seconds: from the question to the answer's end. finish: "stop",
    "length" or "cancelled"; empty: not done."""

    text: str = ""
    probabilities: dict[str, float] = {}
    tokens: int = 0
    seconds: float = 0.0
    finish: Literal["", "stop", "length", "cancelled"] = ""
    ids: tuple[int, ...] = ()

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
