"""What fastexcel does not report about an xlsx. A stray cell at the far end of a sheet makes it request too much
memory. It also leaves out some cells' values: formulas saved without a value, and errors such as #N/A.

Why not openpyxl: it takes 23 seconds for a sheet that takes 0.3 here. calamine reports none of this.
"""

import html
import re
import zipfile
from collections.abc import Iterable, Iterator

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Problem
from lora_hub.data.read import archives
from lora_hub.data.read.source import CHUNK, Source
from lora_hub.data.tables.limits import MAX_ROWS

SHEET_ROWS = 1 << 20  # as many as a sheet may have (ECMA-376, 18.3.1.73)
MAX_CELLS = 40_000_000  # about 1 GB in fastexcel's reader, which keeps a sheet as a full rectangle
PLACE = re.compile(rb'<c r="([A-Z]{2,3})\d')
ROW = re.compile(rb'<(?:c|row) [^>]*?\br="[A-Z]{0,3}(\d{1,7})"')


def refuse_stray_cells(source: Source) -> None:
    """Raises DataError if a sheet's rows times columns exceed the limit, though few of the cells are filled."""
    for name, path in _paths(source):
        columns, rows, begun = 26, 0, 0
        tail = b""
        for chunk in _parts(source, path):
            begun += (tail[-3:] + chunk).count(b"<row")
            if begun > SHEET_ROWS:
                raise DataError(
                    _("The sheet {sheet!r} of {name} has more than {most:,} rows, which no workbook may have."),
                    _("Save it as CSV, which may have as many as {rows:,}, and upload that."),
                    sheet=name,
                    name=source.name,
                    most=SHEET_ROWS,
                    rows=MAX_ROWS,
                )
            data = tail + chunk
            for letters in set(PLACE.findall(data)):
                columns = max(columns, _number(letters))
            tail = data[-4096:]
            # The last row of the chunk is the largest so far: rows are in order, except in damaged files.
            if found := ROW.findall(tail):
                rows = max(rows, int(found[-1]))
        if rows * columns > MAX_CELLS:
            raise DataError(
                _("The sheet {sheet!r} of {name} reaches to row {rows:,} and column {columns:,}."),
                _(
                    "Delete the stray cells far from the table (or copy the table into a new workbook), and save it "
                    "again."
                ),
                sheet=name,
                name=source.name,
                rows=rows,
                columns=columns,
            )


def unread_cells(source: Source, sheet: str) -> list[Problem]:
    """Cells of a sheet that were read as empty: formulas without a saved value, and error values."""
    path = dict(_paths(source)).get(sheet, "")
    formulas = errors = 0
    tail = b""
    for chunk in _parts(source, path):
        data = tail + chunk
        cut = data.rfind(b"<c ")
        data, tail = (data[:cut], data[cut:]) if cut > 0 else (b"", data)
        formulas += _without_value(data)
        errors += data.count(b't="e"')
    formulas += _without_value(tail)
    errors += tail.count(b't="e"')
    problems = []
    if formulas:
        said = _n(
            "{count:,} cell holds a formula that was saved without its value; read as empty.",
            "{count:,} cells hold a formula that was saved without its value; read as empty.",
            count=formulas,
        )
        hint = _("Formulas are never evaluated. Open the workbook in Excel or LibreOffice, save it, and drop it again.")
        problems.append(Problem(code="formulas", severity="warning", count=formulas, said=said, advice=hint))
    if errors:
        said = _n(
            "{count:,} cell holds an error such as #N/A; read as empty.",
            "{count:,} cells hold an error such as #N/A; read as empty.",
            count=errors,
        )
        hint = _("Mend them in the workbook if their rows matter.")
        problems.append(Problem(code="error-cells", severity="warning", count=errors, said=said, advice=hint))
    return problems


def sheets_with_merges(source: Source, names: Iterable[str]) -> list[str]:
    """The sheets that have merged cells. A text could contain the word too: an unnecessary check does no harm."""
    paths = dict(_paths(source))
    return [name for name in names if _holds(source, paths.get(name, ""), b"mergeCell ")]


def _holds(source: Source, path: str, word: bytes) -> bool:
    tail = b""
    for chunk in _parts(source, path):
        if word in tail + chunk:
            return True
        tail = chunk[-len(word) :]
    return False


def _without_value(xml: bytes) -> int:
    if b"<f" not in xml:
        return 0
    return len(re.findall(rb"<f\b[^>]*?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>", xml))


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _paths(source: Source) -> list[tuple[str, str]]:
    """(name, path inside the zip) of the sheets, in the workbook's order."""
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= set(archive.namelist()):
                return []
            book = archive.read("xl/workbook.xml").decode("utf-8", errors="replace")
            links = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", errors="replace")
            there = set(archive.namelist())
    except archives.DAMAGED as error:
        raise archives.damaged(source, error) from None
    targets = {}
    for link in re.findall(r"<(?:\w+:)?Relationship\b[^>]*>", links):
        key, target = re.search(r'\bId="([^"]*)"', link), re.search(r'\bTarget="([^"]*)"', link)
        if key and target:
            targets[key[1]] = target[1].removeprefix("/") if target[1].startswith("/") else f"xl/{target[1]}"
    found = []
    for sheet in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", book):
        name, key = re.search(r'\bname="([^"]*)"', sheet), re.search(r'\b\w+:id="([^"]*)"', sheet)
        found.append((html.unescape(name[1]) if name else "", targets.get(key[1], "") if key else ""))
    return [(name, path if path in there else "") for name, path in found]


def _parts(source: Source, path: str) -> Iterator[bytes]:
    if not path:
        return
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive, archive.open(path) as sheet:
            while chunk := sheet.read(CHUNK):
                yield chunk
    except archives.DAMAGED as error:
        raise archives.damaged(source, error) from None
