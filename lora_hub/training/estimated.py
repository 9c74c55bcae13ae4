"""What a run was estimated to take (`estimate.py`), and several in one go.

estimate_together([told, other]).seconds
"""

from collections.abc import Sequence
from dataclasses import dataclass

# A machine that takes so many times as long as an idle one is told to be busy.
BUSY = 1.3


@dataclass(frozen=True)
class Estimate:
    """What a run will take. tokens_row: mean tokens a row; seconds: wall time with start, scoring and publishing, where
    nothing else runs; training, scoring, publishing: what of it each run takes for itself. memory_bytes: at the peak;
    training_bytes: until scoring begins; own_bytes: of these what another run in the same process would take, too.
    seconds_now: where the machine stays as busy as it was when this was asked."""

    steps: int
    tokens_row: float
    seconds: float
    memory_bytes: int
    training: float = 0.0
    scoring: float = 0.0
    training_bytes: int = 0
    seconds_now: float = 0.0
    publishing: float = 0.0
    own_bytes: int = 0

    @property
    def busy_seconds(self) -> float:
        """`seconds_now` where that is clearly more than on an idle machine; else 0."""
        return self.seconds_now if self.seconds_now > BUSY * self.seconds else 0.0

    def to_json(self) -> dict[str, float]:
        """For programs."""
        told = {"steps": self.steps, "seconds": round(self.seconds, 1), "memory_bytes": self.memory_bytes}
        return {**told, "busy_seconds": round(self.busy_seconds, 1)} if self.busy_seconds else told


def estimate_together(each: Sequence[Estimate]) -> Estimate:
    """Several runs on one base in one go, by what each takes alone: in time as if they were trained one after another
    (they are trained together only where that is faster), in memory as if together (which is tried); what the others
    needed for their training is still the process's while one is scored."""
    first = each[0]
    own = [one.training + one.scoring + one.publishing for one in each]
    seconds = first.seconds - own[0] + sum(own)
    busy = max(one.seconds_now / one.seconds for one in each)
    shared = max(one.training_bytes - one.own_bytes for one in each)
    known = all(one.memory_bytes for one in each)
    trained = shared + sum(one.own_bytes for one in each) if known else 0
    return Estimate(
        steps=sum(one.steps for one in each),
        tokens_row=first.tokens_row,
        seconds=seconds,
        memory_bytes=max(one.memory_bytes - one.own_bytes for one in each) + trained - shared if known else 0,
        training=sum(one.training for one in each),
        scoring=sum(one.scoring for one in each),
        training_bytes=trained,
        seconds_now=seconds * busy,
        publishing=sum(one.publishing for one in each),
        own_bytes=max(0, trained - shared),
    )
