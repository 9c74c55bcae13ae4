"""Reads tables in HTML and in Excel's XML of 2003, which often have the suffix .xls. Fetches nothing and runs no
script.

Why not lxml: it is twice as fast, but stops silently at 256 nested elements. A page whose cells leave <b> open is such
a case: of 3,000 rows it returns 512, each with the texts of the following rows in it.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.read.cells import cells_of
from lora_hub.data.read.source import Source
from lora_hub.data.read.spreadsheets import choose_sheet
from lora_hub.data.tables.limits import MAX_COLUMNS, check_size
from lora_hub.data.tables.table import Table

# Excel's XML has other names for the same elements.
TAGS = {
    "worksheet": "table",
    "row": "tr",
    "cell": "td",
    "table-row": "tr",
    "table-cell": "td",
    "covered-table-cell": "td",
}
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# Elements without an end tag: hiding one hides nothing after it.
VOID = {"br", "img", "hr", "input", "meta", "link", "col", "wbr", "source", "area", "base", "embed", "param", "track"}
MAX_CELLS = 20_000_000


@dataclass
class _Grid:
    """The rows of one table, its name if it has one, and its open elements."""

    name: str = ""
    rows: list[list[str]] = field(default_factory=list)
    cell: list[str] | None = None
    span: int = 1
    down: int = 1
    hanging: dict[int, tuple[int, str]] = field(
        default_factory=dict
    )  # column -> rows still to fill from above, and text
    reached: int = 0  # cells that were filled from above

    def end_cell(self) -> None:
        if self.cell is None:
            return
        row = self.rows[-1]
        self._reach_down(row)
        text = re.sub(r"[ \t\r]+", " ", "".join(self.cell)).strip()
        if self.down > 1:
            self.hanging[len(row)] = (self.down - 1, text)
        row += [text] + [""] * (self.span - 1)
        self.cell = None

    def end_row(self) -> None:
        self.end_cell()
        if self.rows and self.rows[-1]:
            self._reach_down(self.rows[-1])

    def _reach_down(self, row: list[str]) -> None:
        """Cells of earlier rows that span down to here."""
        while len(row) in self.hanging:
            left, text = self.hanging.pop(len(row))
            if left > 1:
                self.hanging[len(row)] = (left - 1, text)
            row.append(text)
            self.reached += 1


class _Rows(HTMLParser):
    """The cells of every table of a page. A table inside a cell is separate."""

    def __init__(self, excel: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.excel = excel
        self.tables: list[_Grid] = []
        self.open: list[_Grid] = []
        self.hidden: list[str] = []  # tags opened since the hidden one, itself first
        self.within: Counter[str] = Counter()  # how many of each are open
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        prefix, _rest, tag = tag.rpartition(":")
        if self.excel and tag == "table" and prefix != "table":
            return
        tag = TAGS.get(tag, tag)
        if self.hidden:
            if tag not in VOID:
                self.hidden.append(tag)
                self.within[tag] += 1
            return
        named = dict(attrs)
        if (
            tag in ("script", "style", "template", "comment", "annotation")
            or HIDDEN.search(named.get("style") or "")
            or "hidden" in named
        ):
            if tag not in VOID and tag not in ("table", "tr", "td", "th"):
                self.hidden.append(tag)
                self.within[tag] += 1
                return
        grid = self.open[-1] if self.open else None
        if tag == "table":
            grid = _Grid(named.get("ss:name") or named.get("table:name") or "")
            self.tables.append(grid)
            self.open.append(grid)
        elif grid is None:
            return
        elif tag == "tr":
            grid.end_row()
            grid.rows.append([])
        elif tag in ("td", "th"):
            grid.end_cell()
            if not grid.rows:
                grid.rows.append([])
            grid.cell = []
            place = named.get("ss:index") or ""
            if place.isascii() and place.isdigit() and len(place) < 5:  # the file omits empty cells before it
                grid.rows[-1] += [""] * (int(place) - 1 - len(grid.rows[-1]))
            grid.span, grid.down = _span(attrs, "colspan"), _span(attrs, "rowspan")
            self.cells += grid.span + grid.reached
            grid.reached = 0
            if self.cells > MAX_CELLS or len(grid.hanging) > MAX_COLUMNS:
                raise DataError(
                    _("The page's tables have more than {most:,} cells."),
                    _("Save the data as CSV."),
                    most=MAX_CELLS,
                )
        elif tag in ("br", "p") and grid.cell:
            grid.cell.append("\n")

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.handle_starttag(tag, attrs)
        if self.excel or tag in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        prefix, _, tag = tag.rpartition(":")
        if self.excel and tag == "table" and prefix != "table":
            return
        tag = TAGS.get(tag, tag)
        if self.hidden:
            if self.within[tag]:
                closed = ""
                while closed != tag:
                    closed = self.hidden.pop()
                    self.within[closed] -= 1
            return
        if not self.open:
            return
        if tag in ("td", "th"):
            self.open[-1].end_cell()
        elif tag == "tr":
            self.open[-1].end_cell()
        elif tag == "table":
            self.open.pop().end_row()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1].cell is not None and not self.hidden:
            self.open[-1].cell.append(data)


def _span(attrs: list, name: str) -> int:
    value = dict(attrs).get(name) or ""
    return min(MAX_COLUMNS, max(1, int(value))) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def begins(source: Source, start: str) -> bool:
    return is_html(start)


def read(source: Source, options: dict) -> Table:
    return read_html(source, sheet=options["sheet"])


def is_html(start: str) -> bool:
    """Whether a text begins like a page, a bare table, or the XML of Excel or OpenDocument."""
    lowered = re.sub(r"^(<!--.*?-->\s*)+", "", start.lower(), flags=re.DOTALL)
    if lowered[:1] != "<":
        return False
    if lowered.startswith(("<html", "<!doctype html", "<meta", "<table")):
        return True
    return any(
        mark in lowered for mark in ("<table", "<workbook", "office:spreadsheet", "opendocument.spreadsheet", "<html")
    )


def read_html(source: Source, *, sheet: str = "") -> Table:
    """The largest table of UTF-8 HTML, or the sheet of Excel's XML. Raises DataError if there is none."""
    text = source.read().decode("utf-8", errors="replace")
    start = text[: 64 << 10]
    excel = (
        "urn:schemas-microsoft-com:office:spreadsheet" in start
        and "<Worksheet" in text
        or "urn:oasis:names:tc:opendocument" in start
    )
    parser = _Rows(excel)
    parser.feed(text)
    parser.close()
    found: dict[str, polars.DataFrame] = {}
    for grid in parser.tables:
        grid.end_row()
        rows = [row for row in grid.rows if any(row)]
        if not rows:
            continue
        width = max(len(row) for row in rows)
        if width > MAX_COLUMNS:
            rows = [row[: _filled_width(row)] for row in rows]
            width = max(len(row) for row in rows)
            check_size(source.name, columns=width)
        columns = {f"f{index}": [row[index] if index < len(row) else None for row in rows] for index in range(width)}
        frame = polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String))
        found[_new_name(grid.name or f"table {len(found) + 1}", found)] = cells_of(frame)
    if sheet and sheet not in found:
        raise DataError(
            _("{name} has no table named {sheet!r}."),
            _("It has: {found}.", found=several(found)) if found else "",
            name=source.name,
            sheet=sheet,
        )
    if not found:
        raise DataError(
            _("{name} is a web page without a table in it."),
            _("Save the data as CSV or Excel."),
            name=source.name,
        )
    named = [grid.name for grid in parser.tables if grid.name]
    best = sheet or ("" if named else max(found, key=lambda name: (min(2, found[name].width), found[name].height)))
    table = choose_sheet(found, source.name, "html", sheet=best)
    table.sheets = list(found) if len(found) > 1 else []
    table.sheet = table.sheet if len(found) > 1 else ""
    others = [name for name in found if name != best]
    if best and not sheet and others:
        said = _("The page has {count} tables; the largest, {name!r}, was read.", count=len(found), name=best)
        hint = _("Choose another table if this is not the one.")
        table.problems.append(Problem(code="other-sheets", severity="info", count=len(others), said=said, advice=hint))
    return table


def _filled_width(row: list[str]) -> int:
    return max((place for place, cell in enumerate(row, 1) if cell), default=0)


def _new_name(name: str, taken: dict) -> str:
    return name if name not in taken else f"{name} ({len(taken) + 1})"
