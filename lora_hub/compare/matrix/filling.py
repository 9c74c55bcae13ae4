"""Computes cells of the matrix, one after another, and gives way to whoever asks.

    for cell in Filler(bases, is_busy).fill(wanted): ...       Cell, or None where one could not be computed

An adapter is asked the rows of its own task in its own words, and all others in those of the rows' task: so a cell says
what the adapter does with that task's prompt.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from lora_hub.catalogue import bases as catalogue_bases
from lora_hub.compare.held_out_sets import HeldOutSet, held_out_set
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.matrix.cells import GENERAL, Cell
from lora_hub.compare.matrix.layout import MOST_ROWS, Wanted
from lora_hub.compare.panes import Pane, resolve_adapter
from lora_hub.compare.promoting.general import METRIC, answer_general, compare_general
from lora_hub.compare.test_sets import answer_panes
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import BASE

logger = logging.getLogger("lora_hub.compare")


def rows_of(run_id: str) -> HeldOutSet | None:
    """The held-out rows of a run as a column has them, at most `MOST_ROWS`; None where they cannot be read."""
    return held_out_set(run_id, MOST_ROWS)


@dataclass
class Filler:
    """is_busy: whether somebody asks or trains: then the cell that is being computed is given up and computed again
    later. check: raises LoraHubError where a pane may not be asked. owner: for whom answers are kept."""

    bases: LoadedBases
    is_busy: Callable[[], bool] = lambda: False
    check: Callable[[Pane], None] = lambda pane: None
    owner: str = ""

    def compute(self, wanted: Wanted) -> Cell | None:
        """One cell; None where it was given up, or its rows are not here. Raises LoraHubError where it cannot be
        computed."""
        rows = rows_of(wanted.column.run_id) if wanted.column.task != GENERAL else None
        pane = self._pane(wanted, rows)
        self.check(pane)
        if wanted.column.task == GENERAL:
            ours = answer_general(self.bases, pane, cancelled=self.is_busy)
            plain = Pane(BASE, pane.base, pane.base.revision)
            theirs = answer_general(self.bases, plain, cancelled=self.is_busy) if ours is not None else None
            if ours is None or theirs is None:
                return None
            found = compare_general(ours, theirs)
            return self._cell(wanted, METRIC, found.difference, found.low, found.high, found.rows)
        if rows is None or rows.fingerprint != wanted.column.set:
            return None
        from lora_hub.evaluation import metrics

        if pane.task is None or pane.task.id != rows.task.id:
            pane = replace(pane, task=rows.task)
        (answers,) = answer_panes(
            self.bases, [pane], rows.task, rows.examples, owner=self.owner, cancelled=self.is_busy
        )
        if answers is None or any(answer.finish == "cancelled" for answer in answers):
            return None
        metric = rows.task.metrics[0]
        texts, right = [answer.text for answer in answers], [one.answer for one in rows.examples]
        score = metrics.score_metrics([metric], texts, right, clusters=rows.clusters)[metric]
        return self._cell(wanted, metric, score.value, score.low, score.high, len(right))

    def fill(self, wanted: Iterable[Wanted]) -> Iterator[tuple[Wanted, Cell | None]]:
        """Each with its cell; None where one cannot be computed, which is logged: an adapter may be anybody's, and what
        it breaks is its own cell. Ends at the first one that was given up for others."""
        for one in wanted:
            if self.is_busy():
                return
            try:
                cell = self.compute(one)
            except LoraHubError as error:
                logger.warning("a cell of the matrix cannot be computed: %s", error)
                cell = None
            except Exception:
                logger.exception("a cell of the matrix failed: %s", one)
                cell = None
            if cell is None and self.is_busy():
                return
            yield one, cell

    def _pane(self, wanted: Wanted, rows: HeldOutSet | None) -> Pane:
        if wanted.adapter is not None:
            return resolve_adapter(f"{wanted.adapter.repo_id}@{wanted.adapter.revision}")
        base = catalogue_bases.get_base(wanted.base, folders=False)
        is_own = rows is not None and rows.base.id == base.id  # the exam calibrated this base on this task
        return Pane(BASE, base, base.revision, calibrations=(rows.calibrations or {}) if is_own else {})

    def _cell(self, wanted: Wanted, metric: str, value: float, low: float, high: float, rows: int) -> Cell:
        ref = wanted.adapter
        return Cell(
            adapter=ref.repo_id if ref else "",
            commit=ref.revision if ref else "",
            base=wanted.base,
            set=wanted.column.set,
            task=wanted.column.task,
            metric=metric,
            value=round(value, 4),
            low=round(low, 4),
            high=round(high, 4),
            rows=rows,
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )


def check_cells(filler: Filler, found: Iterable[tuple[Wanted, Cell]]) -> list[tuple[Cell, Cell]]:
    """Computes cells again; those that come out otherwise, as (kept, computed)."""
    wrong = []
    for wanted, kept in found:
        again = filler.compute(wanted)
        if again is not None and again.model_copy(update={"at": kept.at}) != kept:
            wrong.append((kept, again))
    return wrong
