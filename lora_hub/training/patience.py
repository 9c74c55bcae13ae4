"""When a training that may stop early stops, and by what: the mean loss over the validation rows.

By their accuracy instead (the label of the highest likelihood, ties by loss) the kept checkpoint was worse: 70.2
against 71.2 on rows that chose nothing, the mean of 8 trainings on SMS spam, 20 intents and SST-2 (built-in base, 600
rows, three seeds; 42 validation rows leave accuracy to chance, which cost 11 points once). By the likelihood of the
right label among the labels it was the same one.

Of fewer than `LEAST_CHOOSING` validation rows the loss is mostly chance, and the last step is kept: with 60 rows, of
which 4 are such, that was better than the lowest loss in 9 of 20 trainings and worse in one (36.7 against 35.9 in the
mean; five tasks of the built-in base), with 120 rows better in 3 of 9 and worse in one (57.6 against 55.9).
"""

import math

# Nats a token on rows never trained on: with so little left to learn a run that may stop early stops.
LEARNT_LOSS = 0.01
# Fewer validation rows choose no checkpoint.
LEAST_CHOOSING = 10


def can_choose(rows: int) -> bool:
    """Whether so many validation rows choose the checkpoint; else the last step is kept."""
    return rows >= LEAST_CHOOSING


class Patience:
    """Says when there is no sense in going on: `patience` looks in a row without a lower held-out loss, or nothing left
    to learn.
    patience 0: never. The same rule alone and together."""

    def __init__(self, patience: int) -> None:
        self.patience, self.best, self.stale = patience, math.inf, 0

    def look(self, step: int, loss: float) -> str:
        """Takes in the mean held-out loss (nats a token) at a step; why to stop, or ""."""
        if loss < self.best - 1e-4:
            self.best, self.stale = loss, 0
        elif step:
            self.stale += 1
        return self.why if step else ""

    @property
    def why(self) -> str:
        if not self.patience:
            return ""
        return "learnt" if self.best < LEARNT_LOSS else "patience" if self.stale >= self.patience else ""
