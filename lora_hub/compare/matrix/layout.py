"""Which cells the matrix has: for each base its adapters, and a column for each task's held-out rows and for the
general set.

    found = lay_out(adapters, run_ids, cells)      Matrix; found.wanted: the cells that nobody has computed yet
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lora_hub.compare.held_out_sets import HeldOutSet
from lora_hub.compare.matrix.cells import GENERAL, Cell
from lora_hub.compare.promoting.general import general_fingerprint
from lora_hub.core.schema import AdapterRef

# Of a table that people read, and of the rows that a cell is computed on.
MOST_ADAPTERS, MOST_COLUMNS, MOST_ROWS = 60, 24, 300


@dataclass(frozen=True)
class Column:
    """task: a task's id, or "general". set: fingerprint of its rows. rows: how many. run_id: whose held-out rows they
    are, where they are on this machine."""

    task: str
    set: str
    rows: int
    run_id: str = ""


@dataclass(frozen=True)
class Grid:
    """One base with its adapters. columns: the same of every grid. rows: (adapter or None for the base itself, its
    cells in the order of the columns; None: not computed yet)."""

    base: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[AdapterRef | None, tuple[Cell | None, ...]], ...]


@dataclass(frozen=True)
class Wanted:
    """A cell to compute. adapter: None for the base itself."""

    base: str
    column: Column
    adapter: AdapterRef | None


@dataclass(frozen=True)
class Matrix:
    """wanted: cells that can be computed on this machine. missing: how many are not computed, those included. left_out:
    adapters beyond `MOST_ADAPTERS` of a base."""

    grids: tuple[Grid, ...]
    wanted: tuple[Wanted, ...]
    missing: int
    left_out: int = 0


def lay_out(
    adapters: Iterable[AdapterRef],
    sets: Iterable[tuple[str, Callable[[], HeldOutSet | None]]],
    cells: Mapping[tuple[str, str, str, str], Cell],
) -> Matrix:
    """The matrix of these adapters. sets: (task, what reads its held-out rows), newest first: of each task the first
    one that can be read. cells: what is computed already; the columns of tasks whose rows are elsewhere come from
    them."""
    by_base: dict[str, list[AdapterRef]] = defaultdict(list)
    for ref in adapters:
        if ref.base:
            by_base[ref.base].append(ref)
    columns = _columns(sets, cells)
    grids, wanted, missing, left_out = [], [], 0, 0
    for base, refs in sorted(by_base.items()):
        refs.sort(key=lambda ref: (ref.task, ref.repo_id))
        left_out += max(0, len(refs) - MOST_ADAPTERS)
        rows = []
        for ref in (None, *refs[:MOST_ADAPTERS]):
            keys = [
                ("", "", base, column.set) if ref is None else (ref.repo_id, ref.revision, base, column.set)
                for column in columns
            ]
            found = tuple(cells.get(key) for key in keys)
            for column, cell in zip(columns, found, strict=True):
                is_needless = ref is None and column.task == GENERAL  # the base against itself
                if cell is None and not is_needless:
                    missing += 1
                    if column.run_id or column.task == GENERAL:
                        wanted.append(Wanted(base, column, ref))
            rows.append((ref, found))
        grids.append(Grid(base, columns, tuple(rows)))
    return Matrix(tuple(grids), tuple(wanted), missing, left_out)


def _columns(
    sets: Iterable[tuple[str, Callable[[], HeldOutSet | None]]], cells: Mapping[tuple[str, str, str, str], Cell]
) -> tuple[Column, ...]:
    found: dict[str, Column] = {}
    for task, read in sets:
        if task in found or task == GENERAL or len(found) >= MOST_COLUMNS:
            continue
        rows = read()
        if rows is not None:
            found[task] = Column(task, rows.fingerprint, len(rows.examples), rows.name)
    for cell in sorted(cells.values(), key=lambda cell: cell.at, reverse=True):
        if cell.task not in found and cell.task != GENERAL and len(found) < MOST_COLUMNS:
            found[cell.task] = Column(cell.task, cell.set, cell.rows)
    return (*(found[task] for task in sorted(found)), Column(GENERAL, general_fingerprint(), 80))


def matrix_json(found: Matrix) -> dict[str, Any]:
    """For programs: of each base its sets and its adapters ("": the base itself) with their cells in the order of the
    sets; null: not computed yet."""
    return {
        "missing": found.missing,
        "left_out": found.left_out,
        "bases": [
            {
                "base": grid.base,
                "sets": [{"task": one.task, "set": one.set, "rows": one.rows} for one in grid.columns],
                "adapters": [
                    {
                        "adapter": ref.repo_id if ref else "",
                        "task": ref.task if ref else "",
                        "cells": [cell.model_dump(mode="json") if cell else None for cell in cells],
                    }
                    for ref, cells in grid.rows
                ],
            }
            for grid in found.grids
        ],
    }
