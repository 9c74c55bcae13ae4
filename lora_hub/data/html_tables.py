"""Tables in HTML and in Excel's XML of 2003, which people have under the name .xls. Nothing is fetched and no script is run."""

import re
from html.parser import HTMLParser

import polars

from lora_hub.data.source import Source
from lora_hub.data.spreadsheets import table_of_cells
from lora_hub.data.table import MAX_COLUMNS, Table
from lora_hub.errors import DataError

# Excel's XML says the same with other words.
TAGS = {"worksheet": "table", "row": "tr", "cell": "td"}


class _Rows(HTMLParser):
    """The cells of every table of a page."""

    def __init__(self, excel: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.excel = excel
        self.tables: list[list[list[str]]] = []
        self.cell: list[str] | None = None
        self.span = self.down = 1
        self.hanging: dict[int, tuple[int, str]] = {}  # column -> rows still to fill from a cell above, and its text
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        tag = tag.rpartition(":")[2]
        if self.excel and tag == "table":
            return
        tag = TAGS.get(tag, tag)
        if tag == "table":
            self.end_cell()
            self.tables.append([])
            self.hanging = {}
        elif tag == "tr" and self.tables:
            self.end_row()
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables:
            self.end_cell()
            if not self.tables[-1]:
                self.tables[-1].append([])
            self.cell = []
            place = dict(attrs).get("ss:index") or ""
            if place.isascii() and place.isdigit() and len(place) < 5:  # empty cells before it are left out of the file
                self.tables[-1][-1] += [""] * (int(place) - 1 - len(self.tables[-1][-1]))
            self.span, self.down = _span(attrs, "colspan"), _span(attrs, "rowspan")
        elif tag == "br" and self.cell is not None:
            self.cell.append("\n")
        elif tag in ("script", "style"):
            self.silent += 1

    def handle_endtag(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        tag = TAGS.get(tag, tag)
        if tag in ("td", "th", "tr", "table"):
            self.end_cell()
        elif tag in ("script", "style"):
            self.silent = max(0, self.silent - 1)

    def handle_data(self, data: str) -> None:
        if self.cell is not None and not self.silent:
            self.cell.append(data)

    def end_cell(self) -> None:
        if self.cell is None:
            return
        row = self.tables[-1][-1]
        self._reach_down(row)
        text = re.sub(r"[ \t\r]+", " ", "".join(self.cell)).strip()
        if self.down > 1:
            self.hanging[len(row)] = (self.down - 1, text)
        row += [text] + [""] * (self.span - 1)
        self.cell = None

    def end_row(self) -> None:
        self.end_cell()
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self._reach_down(self.tables[-1][-1])

    def _reach_down(self, row: list[str]) -> None:
        """Cells of rows above that span to here."""
        while len(row) in self.hanging:
            left, text = self.hanging.pop(len(row))
            if left > 1:
                self.hanging[len(row)] = (left - 1, text)
            row.append(text)


def _span(attrs: list, name: str) -> int:
    value = dict(attrs).get(name) or ""
    return min(MAX_COLUMNS, max(1, int(value))) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def read_html(source: Source) -> Table:
    """The largest table of UTF-8 HTML or Excel XML. Raises DataError where there is none."""
    text = source.read().decode("utf-8", errors="replace")
    parser = _Rows(excel="urn:schemas-microsoft-com:office:spreadsheet" in text[:4000] and "<Worksheet" in text)
    parser.feed(text)
    parser.close()
    parser.end_cell()
    rows = max(parser.tables, key=len, default=[])
    rows = [row for row in rows if any(cell for cell in row)]
    if not rows:
        raise DataError(f"{source.name} is a web page without a table in it.", "Save the data as CSV or Excel.")
    width = max(len(row) for row in rows)
    columns = {f"f{index}": [row[index] if index < len(row) else None for row in rows] for index in range(width)}
    return table_of_cells(polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String)), "html")
