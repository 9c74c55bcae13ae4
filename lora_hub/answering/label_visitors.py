"""Visitors who ask for labels are scored together: while one forward runs, the questions that come meanwhile gather, of
whatever adapters, and the next forward takes them all.

    queue = LabelQueue(score)           see `questions.open_label_queue`
    logs = queue.ask(asked)             as `score`, called by any number of threads

What fails for one fails for that one: where scoring them together fails, each is scored apart.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger("lora_hub.answering.label_visitors")
# Questions, and whether nobody waits for them any more -> for each the log likelihood of each of its labels; None where
# nobody waited.
Score = Callable[[list[Any], Callable[[], bool]], list[list[float]] | None]


@dataclass(eq=False)
class Visit:
    """One visitor's questions. logs: of each question and label, once they are scored."""

    asked: list[Any]
    cancelled: Callable[[], bool] | None
    logs: list[list[float]] | None = None
    error: BaseException | None = None
    is_done: bool = False

    @property
    def is_gone(self) -> bool:
        return self.cancelled is not None and self.cancelled()


class LabelQueue:
    """The queue of a base for questions with labels. Safe to use from any number of threads."""

    def __init__(self, score: Score) -> None:
        self._score_all = score
        self._waiting: list[Visit] = []
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def ask(self, asked: list[Any], *, cancelled: Callable[[], bool] | None = None) -> list[list[float]] | None:
        """For each question the log likelihood of each label, in nats and not calibrated; None where it was cancelled.
        The adapters must stay attached until it returns. Raises as `score_labels`."""
        visit = Visit(asked, cancelled)
        with self._lock:
            self._waiting.append(visit)
        # Whoever comes to its turn unanswered answers all who have come by then.
        with self._turn:
            if not visit.is_done:
                with self._lock:
                    waiting, self._waiting = self._waiting, []
                self._score(waiting)
        if visit.error is not None:
            raise visit.error
        return visit.logs

    def _score(self, visits: list[Visit]) -> None:
        open_visits = []
        for visit in visits:
            if visit.is_gone:
                visit.is_done = True
            else:
                open_visits.append(visit)
        try:
            self._score_together(open_visits)
        except Exception as error:
            if len(open_visits) > 1:
                logger.warning("scoring %s visitors failed, they are scored apart", len(open_visits), exc_info=error)
            for visit in open_visits:
                if len(open_visits) == 1:
                    visit.error, visit.is_done = error, True
                else:
                    self._score([visit])
        except BaseException as error:  # nobody may wait for ever
            for visit in open_visits:
                visit.error, visit.is_done = error, True
            raise

    def _score_together(self, visits: list[Visit]) -> None:
        if not visits:
            return
        asked = [one for visit in visits for one in visit.asked]
        scored = self._score_all(asked, lambda: all(visit.is_gone for visit in visits))
        start = 0
        for visit in visits:
            stop = start + len(visit.asked)
            visit.logs, visit.is_done = scored[start:stop] if scored is not None else None, True
            start = stop
