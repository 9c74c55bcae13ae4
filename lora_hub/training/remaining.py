"""How long the remaining steps of a training will take, by the later half of the time that it has taken: what else runs
on the machine changes, and the first steps are slower than the others.

    remaining = Remaining(step=0)
    remaining.seconds_step(12)      after step 12
"""

import time
from collections import deque


class Remaining:
    """step: where the training begins, or goes on."""

    def __init__(self, step: int) -> None:
        self._began = time.monotonic()
        self._marks = deque([(self._began, step)])

    def seconds_step(self, step: int) -> float:
        """Seconds that a step takes by now, looks at the validation rows included. step: the last that was done."""
        now = time.monotonic()
        middle = (self._began + now) / 2
        while len(self._marks) > 1 and self._marks[1][0] <= middle:
            self._marks.popleft()
        since, first = self._marks[0]
        self._marks.append((now, step))
        return (now - since) / max(1, step - first)
