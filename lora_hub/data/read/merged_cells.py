"""Merged cells of a workbook. The file keeps the value of a merged cell only in its first cell and leaves the others
empty, while a person sees it beside every row.

    merges_of(source, "xlsx", sheets)   the merged ranges of each, counted from its first row and column that hold
                                        something
    unmerged(frame, merges).frame       the cells with those values filled in, and header rows that merged cells make
                                        one

Down a column a value is repeated, for it belongs to each row. Across a row it is repeated in the header only, where it
is the name over several columns: across data it is a heading between the rows.
"""

import io
import xml.etree.ElementTree as xml
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars

from lora_hub.core.messages import _n
from lora_hub.core.schema import Problem
from lora_hub.data.read import archives, workbook_cells
from lora_hub.data.read.headers import left_above, told_header
from lora_hub.data.read.source import Source
from lora_hub.data.tables.table import row_problem

Range = tuple[tuple[int, int], tuple[int, int]]  # (row, column) of the first and the last cell
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
# Maximum depth of a header, and size of an OpenDocument sheet.
DEEPEST, MOST_ROWS, MOST_COLUMNS = 4, 1 << 20, 1 << 14


@dataclass(frozen=True, order=True)
class Merge:
    """A merged range; rows and columns from 0, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


def merges_of(source: Source, kind: str, sheets: Iterable[str]) -> dict[str, list[Merge]]:
    """The sheets that have merged ranges. `kind`: xlsx or ods; xls provides them elsewhere (`old_workbooks`), xlsb not
    at all."""
    if kind == "xlsx":
        sheets = workbook_cells.sheets_with_merges(source, sheets)
    spanned = _open_document_ranges(source) if kind == "ods" else {}
    sheets = [name for name in sheets if name in spanned or kind == "xlsx"]
    if not sheets:
        return {}
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.read()))
    read = {name: book.get_sheet_by_name(name) for name in sheets}
    return {
        name: counted_from(spanned.get(name) or sheet.merged_cell_ranges or [], sheet.start)
        for name, sheet in read.items()
    }


def counted_from(ranges: Iterable[Range], start: Sequence[int] | None) -> list[Merge]:
    """((top, left), (bottom, right)) of the sheet as ranges relative to `start` (row, column)."""
    row, column = start or (0, 0)
    moved = [(first[0] - row, first[1] - column, last[0] - row, last[1] - column) for first, last in ranges]
    return sorted(Merge(*corners) for corners in moved if min(corners[:2]) >= 0)


def _open_document_ranges(source: Source) -> dict[str, list[Range]]:
    """Ranges that cells of content.xml span, by sheet; repeated rows and cells are counted, never created."""
    found: dict[str, list[Range]] = defaultdict(list)
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive, archive.open("content.xml") as content:
            name, row, column = "", 0, 0
            for event, element in xml.iterparse(content, events=("start", "end")):
                kind = element.tag.removeprefix(TABLE)
                if kind == "table" and event == "start":
                    name, row = element.get(f"{TABLE}name") or "", 0
                elif kind == "table-row":
                    row, column = row + (_count(element, "number-rows-repeated", MOST_ROWS) if event == "end" else 0), 0
                elif kind in ("table-cell", "covered-table-cell") and event == "start":
                    down, across = (
                        _count(element, "number-rows-spanned", MOST_ROWS),
                        _count(element, "number-columns-spanned", MOST_COLUMNS),
                    )
                    if down > 1 or across > 1:
                        found[name].append(((row, column), (row + down - 1, column + across - 1)))
                    column += _count(element, "number-columns-repeated", MOST_COLUMNS)
                if event == "end":
                    element.clear()
    except (*archives.DAMAGED, KeyError, xml.ParseError) as error:
        raise archives.damaged(source, error) from None
    return dict(found)


def _count(element: xml.Element, name: str, most: int) -> int:
    value = element.get(f"{TABLE}{name}") or "1"
    return min(most, int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else 1


@dataclass(frozen=True)
class Unmerged:
    """frame: the cells with their values filled in. is_headed: its first row is the header, combined from several
    rows."""

    frame: polars.DataFrame
    problems: list[Problem]
    is_headed: bool = False


def unmerged(frame: polars.DataFrame, merges: Sequence[Merge]) -> Unmerged:
    """`frame`: the cells of a sheet before empty rows and columns are removed."""
    merges = [merge for merge in merges if merge.top < frame.height and merge.left < frame.width]
    if not merges:
        return Unmerged(frame, [])
    first, last = _header_rows(frame, merges)
    header = _joined_header(frame, merges, first, last) if last > first else []
    frame, count = _filled_down(frame, [merge for merge in merges if merge.top > last or not header])
    problems = []
    if count:
        said = _n(
            "{count:,} cell below the first of a merged cell was read with its value.",
            "{count:,} cells below the first of a merged cell were read with its value.",
            count=count,
        )
        problems.append(row_problem("merged-cells", "info", said, [], count=count))
    if not header:
        return Unmerged(frame, problems)
    titles = [next(cell for cell in row if cell) for row in frame.head(first).rows() if any(row)]
    if titles:
        problems.append(left_above(len(titles), "; ".join(title.strip()[:60] for title in titles)))
    top = polars.DataFrame(
        {name: [cell] for name, cell in zip(frame.columns, header, strict=True)},
        schema=dict.fromkeys(frame.columns, polars.String),
    )
    return Unmerged(
        polars.concat([top, frame.slice(last + 1)]), [*problems, told_header(last - first + 1, header)], True
    )


def _header_rows(frame: polars.DataFrame, merges: Sequence[Merge]) -> tuple[int, int]:
    """The first and the last row of a header made of merged cells: names over several columns, or cells all equally
    deep. Both are the same if there is none. A title across the full width does not count."""
    above = frame.head(20).rows()
    filled = [row for row, cells in enumerate(above) if any(cells)]
    wide = [merge for merge in merges if merge.right > merge.left]
    for row in filled:
        here = [merge for merge in merges if merge.top == row]
        cells = {column for column, cell in enumerate(above[row]) if cell}
        if len(cells) == 1 and any(merge.top == row and merge.right > merge.left for merge in wide):
            continue  # a title
        deep = {merge.left: merge.bottom for merge in here if row < merge.bottom < row + DEEPEST}
        last = row
        while any(merge.top == last and merge.bottom < row + DEEPEST for merge in wide) and last + 1 < frame.height:
            last = max(
                last + 1, *(merge.bottom for merge in merges if merge.top == last and merge.bottom < row + DEEPEST)
            )
        if last == row and deep.keys() >= cells and len(set(deep.values())) == 1:
            last = next(iter(deep.values()))
        return row, min(last, row + DEEPEST - 1, frame.height - 2)
    return 0, 0


def _joined_header(frame: polars.DataFrame, merges: Sequence[Merge], first: int, last: int) -> list[str | None]:
    """One name for each column: the names above it from the top, each once."""
    rows = [list(row) for row in frame.slice(first, last - first + 1).rows()]
    for merge in merges:
        if first <= merge.top <= last:
            for column in range(merge.left + 1, min(merge.right + 1, frame.width)):
                rows[merge.top - first][column] = rows[merge.top - first][merge.left]
    joined = []
    for cells in zip(*rows, strict=True):
        names = dict.fromkeys(cell.strip() for cell in cells if cell and cell.strip())
        joined.append(" ".join(names) or None)
    return joined


def _filled_down(frame: polars.DataFrame, merges: Sequence[Merge]) -> tuple[polars.DataFrame, int]:
    """Repeats each value in the empty cells merged with it, in its own column. Overlapping ranges, which only damaged
    files have, count once."""
    by_column: dict[int, list[Merge]] = defaultdict(list)
    for merge in merges:
        if merge.bottom > merge.top:
            by_column[merge.left].append(merge)
    changed, count = {}, 0
    for column, spans in by_column.items():
        cells = frame.to_series(column).to_list()
        reached = -1
        for merge in sorted(spans):
            value = cells[merge.top]
            if merge.top <= reached or not value:
                continue
            reached = min(merge.bottom, frame.height - 1)
            for row in range(merge.top + 1, reached + 1):
                if not cells[row]:
                    cells[row], count = value, count + 1
        changed[frame.columns[column]] = cells
    return frame.with_columns(
        [polars.Series(name, cells, dtype=polars.String) for name, cells in changed.items()]
    ), count
