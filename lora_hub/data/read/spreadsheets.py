"""Reads Excel and OpenDocument sheets with fastexcel: chooses the sheet, skips title rows, explains refusals. Never
evaluates formulas: uses the values saved in the file."""

import os
import sys
import tempfile
import threading
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.read import archives, merged_cells, old_workbooks, workbook_cells
from lora_hub.data.read.archive_members import pick_split
from lora_hub.data.read.cells import cells_of, table_of_cells
from lora_hub.data.read.refusals import refuse_zip
from lora_hub.data.read.source import Source
from lora_hub.data.tables.table import Table

# Names of streams in documents related to .xls, and what they mean.
STREAMS = {
    "WordDocument": _("a Word document"),
    "PowerPoint Document": _("a presentation"),
    "__substg1.0_": _("an e-mail of Outlook"),
    "VisioDocument": _("a drawing"),
    "__nameid_version": _("an e-mail of Outlook"),
}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def begins(source: Source, start: bytes) -> bool:
    return start.startswith(OLE) or start[:4] in archives.ZIP and bool(workbook_kind(source))


def read(source: Source, options: dict) -> Table:
    if source.head(len(OLE)) == OLE:
        return read_workbook(source, "xls", sheet=options["sheet"])
    archives.check_size(source, 4 * options["limit"])
    return read_workbook(source, workbook_kind(source), sheet=options["sheet"])


def read_workbook(source: Source, kind: str, *, sheet: str = "") -> Table:
    """`kind`: xlsx, xlsb, xls or ods. Reads the chosen sheet; else the one named train, with the one named test; else
    the first that holds a table. Raises DataError for an encrypted, empty or damaged workbook, and for an unknown
    sheet."""
    if kind == "xlsx":
        workbook_cells.refuse_stray_cells(source)
    if kind == "xls" and any(
        stream.encode("utf-16-le") in source.head(1 << 20) for stream in (*STREAMS, "EncryptedPackage")
    ):
        raise _in_words(source, "")
    if kind == "xls":
        cells, hidden, merges, error = old_workbooks.read_sheets(source)
        if error:
            raise _in_words(source, error)
    else:
        cells, hidden = _read_sheets(source, kind)
        with _panics_in_words(source):
            merges = merged_cells.merges_of(source, kind, [name for name, frame in cells.items() if frame.height])
    if sheet and sheet not in cells:
        raise DataError(
            _("There is no sheet named {sheet!r}."),
            _("The workbook has: {sheets}."),
            sheet=sheet,
            sheets=several(cells),
        )
    whole = {name: merged_cells.unmerged(frame, merges.get(name, [])) for name, frame in cells.items()}
    sheets = {name: cells_of(one.frame) for name, one in whole.items()}
    filled = {name: frame for name, frame in sheets.items() if frame.height}
    if not filled or (sheet and sheet not in filled):
        hint = _("Choose a workbook with data in it.")
        if filled:
            raise DataError(
                _("The sheet {sheet!r} of {name} has no cell with a value in it."), hint, sheet=sheet, name=source.name
            )
        raise DataError(_("{name} has no cell with a value in it."), hint, name=source.name)
    shown = {name: frame for name, frame in filled.items() if name not in hidden} or filled
    headed = {name for name, one in whole.items() if one.is_headed}
    table = choose_sheet(shown if sheet not in filled else filled, source.name, kind, sheet=sheet, headed=headed)
    table.sheets = list(shown) if table.sheet in shown else list(filled)
    table.problems += whole[table.sheet].problems
    if kind == "xlsx" and any(series.null_count() for series in table.frame.get_columns()):
        table.problems += workbook_cells.unread_cells(source, table.sheet)
    return table


def _read_sheets(source: Source, kind: str) -> tuple[dict[str, polars.DataFrame], set[str]]:
    """The cells of every sheet, and the names of hidden ones."""
    import fastexcel

    with _panics_in_words(source):
        try:
            # For a path, the name would decide the format; for bytes, the content does.
            named_so = source.path is not None and source.path.suffix.lower() == f".{kind}"
            book = fastexcel.read_excel(str(source.path) if named_so else source.read())
            loaded = [book.load_sheet(name, header_row=None, dtypes="string") for name in book.sheet_names]
            return {one.name: one.to_polars() for one in loaded}, {
                one.name for one in loaded if one.visible != "visible"
            }
        except fastexcel.FastExcelError as error:
            raise _in_words(source, str(error)) from None


def choose_sheet(
    sheets: dict[str, polars.DataFrame], name: str, kind: str, *, sheet: str = "", headed: Collection[str] = ()
) -> Table:
    """The table of one of several non-empty sheets, by name. A sheet named train and one named test form a split.
    `name`: the file's. `headed`: sheets whose first row is known to be the header."""
    train, test = pick_split(sheets)
    if any(sheets[name].height < 2 for name in (train, test) if name):
        train = test = ""
    tables = [name for name, frame in sheets.items() if frame.height > 1 and frame.width > 1]
    lists = [name for name, frame in sheets.items() if frame.height > 1]
    chosen = sheet or train or (tables or lists or list(sheets))[0]
    table = table_of_cells(sheets[chosen], name, kind, is_headed=chosen in headed)
    table.sheet = chosen
    if test and chosen == train:
        table.test = table_of_cells(sheets[test], name, kind, is_headed=test in headed)
        table.test.sheet = test
    others = [name for name in sheets if name not in (chosen, test if table.test else chosen)]
    read = _("Sheet {sheet!r} was read", sheet=chosen)
    if table.test:
        read = _("Sheet {sheet!r} was read, and {test!r} to test on", sheet=chosen, test=test)
    if others and not sheet:
        said = _("{read}; the workbook also has {sheets}.", read=read, sheets=several(others, most=5, quoted=True))
        hint = _("Choose another sheet if this is not the one.")
        table.problems.append(Problem(code="other-sheets", severity="info", count=len(others), said=said, advice=hint))
    elif table.test:
        table.problems.append(Problem(code="split-sheets", severity="info", said=_("{read}.", read=read)))
    return table


@contextmanager
def _panics_in_words(source: Source) -> Iterator[None]:
    """Turns a panic of fastexcel's parser on a damaged file into an error message. The parser prints its own trace and
    raises something that is not an Exception."""
    try:
        with _held_back_stderr():
            yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise DataError(
            _("The workbook {name} is damaged."),
            _("Open it, save it again as .xlsx, and drop it again."),
            name=source.name,
        ) from None


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Hides what the parser prints from the terminal. Only in the main thread (the command line): in the page, standard
    error is the server's log, and redirecting it would affect the other threads."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _in_words(source: Source, error: str) -> DataError:
    lowered = error.lower()
    head = source.read()
    if (
        "password" in lowered
        or "encrypt" in lowered
        or _is_locked(head)
        or b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e" in head
    ):
        return DataError(
            _("The workbook {name} is protected with a password."),
            _("Save it without a password and drop it again."),
            name=source.name,
        )
    if head.startswith(OLE):
        for stream, what in STREAMS.items():
            if stream.encode("utf-16-le") in head:
                return DataError(
                    _("{name} is {what}, not a table."),
                    _("Save its table as a CSV or an Excel file."),
                    name=source.name,
                    what=what,
                )
    reason = error.splitlines()[0].removeprefix("calamine error: ")[:200]
    return DataError(
        _("The workbook {name} is damaged: {reason}."),
        _("Open it, save it again as .xlsx, and drop it again."),
        name=source.name,
        reason=reason,
    )


def _is_locked(data: bytes) -> bool:
    """Whether an .xls is encrypted: a FILEPASS record among its first ones ([MS-XLS] 2.4.117). Excel writes it for a
    workbook that is merely protected, too, with a password that everybody knows."""
    at = data.find(b"\x09\x08\x10\x00\x00\x06\x05\x00")  # BOF record of the workbook's globals
    for _record in range(8):
        if at < 0 or at + 4 > len(data):
            return False
        if data[at : at + 2] == b"\x2f\x00":
            return True
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "little")
    return False


def workbook_kind(source: Source) -> str:
    """xlsx, xlsb or ods if a zip archive is a workbook; else empty."""
    with source.open() as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = set(archive.namelist())
                if "xl/workbook.bin" in names:
                    return "xlsb"
                if any(name.startswith("xl/") for name in names):
                    return "xlsx"
                if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype")[:200]:
                    return "ods"
        except archives.DAMAGED as error:
            raise archives.damaged(source, error) from None
    refuse_zip(source, names)
    return ""
