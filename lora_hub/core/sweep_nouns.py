"""What a sweep is: several settings of one run, trained at once on the same rows, of which one is kept."""

from collections.abc import Mapping
from typing import Any

from lora_hub.core.messages import Message, read_message
from lora_hub.core.noun import Noun


class Candidate(Noun):
    """One of the settings. lr: peak learning rate; r, alpha: of the adapter. losses: (step, validation loss) pairs.
    dropped: the step after which it was behind and ended; 0: it went on. failed: why it came to nothing; None where it
    did not fail."""

    lr: float
    r: int
    alpha: float
    losses: tuple[tuple[int, float], ...] = ()
    dropped: int = 0
    failed: Message | None = None

    @property
    def best_loss(self) -> float:
        """The lowest validation loss so far; infinite before the first."""
        return min((loss for step, loss in self.losses if step), default=float("inf"))


class Sweep(Noun):
    """The candidates of a run; chosen: whose adapter is the run's, by its place; -1: not known yet."""

    candidates: tuple[Candidate, ...]
    chosen: int = -1


def with_told(sweep: Sweep | None, data: Mapping[str, Any]) -> Sweep:
    """The sweep after one more event of it (`events.py`). A resumed run tells its candidates again and goes on with
    their losses. Raises KeyError, ValueError or TypeError for what no sweep tells."""
    if "candidates" in data:
        made = tuple(Candidate.model_validate(one) for one in data["candidates"])
        return sweep if sweep and len(sweep.candidates) == len(made) else Sweep(candidates=made)
    place = int(data["chosen" if "chosen" in data else "number"])
    if sweep is None or not 0 <= place < len(sweep.candidates):
        raise ValueError(place)
    if "chosen" in data:
        return sweep.model_copy(update={"chosen": place})
    one = sweep.candidates[place]
    if "dropped" in data:
        one = one.model_copy(update={"dropped": int(data["dropped"])})
    elif "failed" in data:
        one = one.model_copy(update={"failed": read_message(data, "failed")})
    else:
        step, loss = int(data["step"]), float(data["eval_loss"])
        before = tuple(pair for pair in one.losses if pair[0] < step)
        one = one.model_copy(update={"losses": (*before, (step, loss))})
    return sweep.model_copy(update={"candidates": (*sweep.candidates[:place], one, *sweep.candidates[place + 1 :])})
