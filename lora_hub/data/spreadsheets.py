"""Excel and OpenDocument sheets, by fastexcel: which sheet, title rows, and refusals in words. Formulas are never evaluated:
the values that the file was saved with are read."""

import os
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import polars

from lora_hub.data import archives
from lora_hub.data.delimited import SAMPLE_ROWS, apply_layout
from lora_hub.data.headers import find_layout
from lora_hub.data.source import Source
from lora_hub.data.table import MAX_COLUMNS, Table
from lora_hub.errors import DataError
from lora_hub.schema import Problem

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read_workbook(source: Source, kind: str, *, sheet: str = "") -> Table:
    """`kind`: xlsx, xlsb, xls or ods. Raises DataError for an encrypted, empty or damaged workbook."""
    import fastexcel

    with _panics_in_words(source):
        try:
            # A path's name would decide the format; bytes are judged by what they hold.
            named_so = source.path is not None and source.path.suffix.lower() == f".{kind}"
            book = fastexcel.read_excel(str(source.path) if named_so else source.read())
            names = book.sheet_names
            if sheet and sheet not in names:
                raise DataError(f"There is no sheet named {sheet!r}.", f"The workbook has: {', '.join(names)}.")
            loaded = [book.load_sheet(name, header_row=None, dtypes="string") for name in ([sheet] if sheet else names)]
            shown = [one for one in loaded if one.visible == "visible"] or loaded
            sheets = {one.name: _cells(one.to_polars()) for one in (loaded if sheet else shown)}
        except fastexcel.FastExcelError as error:
            raise _in_words(source, str(error)) from None
    filled = {name: frame for name, frame in sheets.items() if frame.height}
    if not filled:
        raise DataError(f"{source.name} has no cell with a value in it.", "Choose a workbook with data in it.")
    chosen = max(filled, key=lambda name: (filled[name].height > 1, filled[name].width > 1, filled[name].height))
    first = next(iter(filled))
    if filled[first].height * 2 >= filled[chosen].height and filled[first].width > 1:
        chosen = first
    table = table_of_cells(filled[chosen], "ods" if kind == "ods" else kind)
    others = [name for name in filled if name != chosen]
    if others:
        table.problems.append(
            Problem(
                code="other-sheets", severity="info", count=len(others),
                message=f"Sheet {chosen!r} was read; the workbook also has {', '.join(map(repr, others[:5]))}.",
                hint="Choose another sheet if this is not the one.",
            )  # fmt: skip
        )
    return table


def table_of_cells(frame: polars.DataFrame, kind: str) -> Table:
    """The table of a sheet's cells: empty rows and columns at its edges dropped, title rows and header found."""
    if frame.width > MAX_COLUMNS:
        raise DataError(f"The sheet has {frame.width} columns.", f"At most {MAX_COLUMNS} can be read.")
    layout = find_layout(frame.head(SAMPLE_ROWS).rows(), frame.width)
    return Table(apply_layout(frame, layout), kind, problems=layout.problems)


def _cells(frame: polars.DataFrame) -> polars.DataFrame:
    """The cells without the rows and columns that hold nothing."""
    if not frame.width:
        return frame
    filled = frame.select(polars.all().is_not_null() & (polars.all().str.strip_chars() != ""))
    frame = frame.select([column for column in frame.columns if filled[column].any()])
    if not frame.width:
        return polars.DataFrame()
    return frame.filter(filled.select(any=polars.any_horizontal(polars.all()))["any"])


@contextmanager
def _panics_in_words(source: Source) -> Iterator[None]:
    """A damaged file can make the parser below fastexcel panic: it prints a trace of its own and raises what is no Exception."""
    try:
        with _held_back_stderr():
            yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        told = f"The workbook {source.name} is damaged."
        raise DataError(told, "Open it, save it again as .xlsx, and drop it again.") from None


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """What the parser prints reaches nobody at a terminal. Only in the main thread, which is the command line's: in the page's
    threads standard error is the server's log, and swapping it there would take it from the other threads."""
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
    if "password" in lowered or "encrypt" in lowered or "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e".encode() in head:
        return DataError(
            f"The workbook {source.name} is protected with a password.", "Save it without a password and drop it again."
        )
    if head.startswith(OLE) and "W\0o\0r\0d\0D\0o\0c".encode() in head:
        return DataError(f"{source.name} is a Word document, not a table.", "Save its table as a CSV or an Excel file.")
    reason = error.splitlines()[0].removeprefix("calamine error: ")[:200]
    return DataError(f"The workbook {source.name} is damaged: {reason}.", "Open it, save it again as .xlsx, and drop it again.")


def workbook_kind(source: Source) -> str:
    """xlsx, xlsb or ods where a zip archive is a workbook; else empty."""
    with source.open() as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = set(archive.namelist())
                if "xl/workbook.bin" in names:
                    return "xlsb"
                if any(name.startswith("xl/") for name in names):
                    return "xlsx"
                if "mimetype" in names and b"opendocument" in archive.read("mimetype")[:200]:
                    return "ods"
                if any(name.startswith("word/") for name in names):
                    raise DataError(f"{source.name} is a Word document, not a table.", "Save its table as CSV or Excel.")
                if any(name.startswith("ppt/") for name in names):
                    raise DataError(f"{source.name} is a presentation, not a table.", "Save its table as CSV or Excel.")
        except archives.DAMAGED as error:
            raise archives.damaged(source, error) from None
    return ""
