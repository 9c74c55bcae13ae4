"""A cell of the matrix: what one adapter scores on one set of rows. Kept as lines of JSON, which others may have
written, too: scores and names, never rows.

    cells = read_cells(content)      {cell.key: Cell}; what is no cell is left out
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, ValidationError

from lora_hub.core.schema import Noun

# Counted up where the same cell would be computed otherwise than before.
WAY = 1
GENERAL = "general"
MOST_BYTES, MOST_LINE_BYTES, MOST_CELLS = 8 << 20, 2 << 10, 20_000

_Points = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


class Cell(Noun):
    """adapter: its repo, empty for the base itself. commit: of the repo; of the base empty. base: its id. set:
    fingerprint of the rows. task: whose rows, or "general". metric: its name. value, low, high: per cent with the 95 %
    interval; of "general" the points against the base. rows: how many. at: ISO 8601, UTC. way: `WAY`."""

    adapter: Annotated[str, Field(max_length=200, pattern=r"^([\w.-]+/[\w.-]+)?$")]
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")]
    base: Annotated[str, Field(min_length=1, max_length=200)]
    set: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    task: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    metric: Annotated[str, Field(max_length=60)]
    value: _Points
    low: _Points
    high: _Points
    rows: Annotated[int, Field(ge=1, le=1_000_000)]
    at: Annotated[str, Field(max_length=40)]
    way: Annotated[int, Field(ge=1, le=1_000_000)] = WAY

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the cell is of: adapter, commit, base, set."""
        return self.adapter, self.commit, self.base, self.set


def read_cells(content: bytes) -> dict[tuple[str, str, str, str], Cell]:
    """The cells of a file, the newest line of each. Anybody may have written it: lines that are no cell, and cells that
    were computed in another way, are left out; so is what is too large."""
    found = {}
    for line in content[:MOST_BYTES].splitlines()[-MOST_CELLS:]:
        if not line.strip() or len(line) > MOST_LINE_BYTES:
            continue
        try:
            cell = Cell.model_validate_json(line, strict=True)
        except (ValidationError, ValueError, RecursionError):
            continue
        if cell.way == WAY and cell.low <= cell.value <= cell.high:
            found[cell.key] = cell
    return found


def to_lines(cells: Iterable[Cell]) -> bytes:
    """The cells as a file, at most `MOST_CELLS` and no more than is read again, the newest; the same cells give the
    same bytes."""
    kept = sorted(cells, key=lambda cell: (cell.at, cell.key))[-MOST_CELLS:]
    lines, size = [], 0
    for cell in reversed(kept):
        line = cell.model_dump_json().encode() + b"\n"
        size += len(line)
        if size > MOST_BYTES:
            break
        lines.append(line)
    return b"".join(reversed(lines))
