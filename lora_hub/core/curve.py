"""A loss curve that stays small however long a run is."""

MOST_POINTS = 1000


class Curve:
    """(step, loss) pairs by step. At twice `MOST_POINTS`, neighbours are merged into their mean, repeatedly. So a curve
    of any length takes the same memory and keeps its shape.

    Adding an earlier step replaces everything from that step on, because a resumed run goes back to its last
    checkpoint.
    """

    def __init__(self) -> None:
        self._points: list[tuple[int, float]] = []
        self._held: list[tuple[int, float]] = []  # too few for a point so far
        self._merged = 1  # how many pairs a point stands for

    def add(self, step: int, loss: float) -> None:
        for part in (self._held, self._points):
            while part and part[-1][0] >= step:
                part.pop()
        self._held.append((step, loss))
        if len(self._held) >= self._merged:
            self._points.append(_mean(self._held))
            self._held = []
        if len(self._points) == 2 * MOST_POINTS:
            self._points = [_mean(self._points[place : place + 2]) for place in range(0, len(self._points), 2)]
            self._merged *= 2

    def pairs(self) -> tuple[tuple[int, float], ...]:
        """Fewer than twice `MOST_POINTS` pairs; the latest is always exact."""
        return (*self._points, *self._held[-1:])


def _mean(pairs: list[tuple[int, float]]) -> tuple[int, float]:
    return pairs[-1][0], sum(loss for _, loss in pairs) / len(pairs)
