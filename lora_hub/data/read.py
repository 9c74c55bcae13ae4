"""Any file a person has becomes a `Table`, or a DataError that says why not. Content decides, never the file's name.

    table = read_table(Path("spam.csv"))
    table.rows, table.columns, table.encoding, table.problems

Nothing is executed or fetched. Limits: `settings.max_upload_bytes()` for the file and for what an archive unpacks to.
"""

import re
from pathlib import Path

import polars

from lora_hub import settings
from lora_hub.data import archives
from lora_hub.data.columnar import read_arrow, read_parquet
from lora_hub.data.delimited import read_delimited
from lora_hub.data.encodings import decode
from lora_hub.data.html_tables import read_html
from lora_hub.data.json_files import looks_like_json, read_json
from lora_hub.data.source import Source
from lora_hub.data.spreadsheets import OLE, read_workbook, workbook_kind
from lora_hub.data.table import MAX_ROWS, Table, row_problem
from lora_hub.errors import DataError
from lora_hub.schema import Problem

__all__ = ["Table", "read_table"]

# What is recognised in order to be refused in words: first bytes, and what they are.
REFUSED = {
    b"%PDF": "a PDF document", b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"RIFF": "a media file",
    b"ID3": "an audio file", b"OggS": "an audio file", b"SQLite format 3": "a database", b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive", b"BZh": "a bzip2 archive", b"\xfd7zXZ": "an xz archive", b"(\xb5/\xfd": "a zstd archive",
    b"\x7fELF": "a program", b"MZ": "a program", b"\x80\x04\x95": "a Python pickle, which could run code",
    b"\x80\x05\x95": "a Python pickle, which could run code", b"{\\rtf": "a rich text document",
    b"\x89HDF": "an HDF5 file", b"\x93NUMPY": "a numpy array",
}  # fmt: skip
FORMATS = "Use CSV, JSON, JSONL, Parquet, Arrow, Excel (xlsx, xls, ods), or a gz or zip of these."


def read_table(
    path: Path, *, encoding: str = "", delimiter: str = "", sheet: str = "", skip_broken: bool = False
) -> Table:
    """The table in a file. `encoding`, `delimiter`, `sheet`: what a person chose; empty: decided by content.
    `skip_broken`: go on without lines that cannot be read. Raises DataError, whose message names line and reason."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}.", "Check the path.")
    size, limit = path.stat().st_size, settings.max_upload_bytes()
    if size > limit:
        raise DataError(
            f"{path.name} is {size >> 20} MB; the limit is {limit >> 20} MB.",
            "Use a smaller file, or raise LORA_HUB_MAX_UPLOAD_MB.",
        )
    options = {"encoding": encoding, "delimiter": delimiter, "sheet": sheet, "skip_broken": skip_broken}
    return _read(Source(path.name, path=path), options, limit)


def _read(source: Source, options: dict, limit: int, *, depth: int = 0) -> Table:
    if source.size == 0:
        raise DataError(f"{source.name} is empty.", "Choose a file with data in it.")
    if depth > 2:
        raise DataError(f"{source.name} is an archive in an archive in an archive.", "Unpack it first.")
    head = source.head(4096)
    if head[:2] == b"\x1f\x8b":
        return _read(archives.unpack_gzip(source, limit), options, limit, depth=depth + 1)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        kind = workbook_kind(source)
        if kind:
            archives.check_size(source, 4 * limit)
            return _finish(read_workbook(source, kind, sheet=options["sheet"]), source)
        return _read_archive(source, options, limit, depth)
    if head[:4] == b"PAR1":
        return _finish(read_parquet(source, limit=limit), source)
    if head[:6] == b"ARROW1" or head[:4] == b"\xff\xff\xff\xff":
        return _finish(read_arrow(source, limit=limit), source)
    if head.startswith(OLE):
        return _finish(read_workbook(source, "xls", sheet=options["sheet"]), source)
    if head[257:262] == b"ustar":
        raise DataError(f"{source.name} is a tar archive.", FORMATS)
    for start, what in REFUSED.items():
        if head.startswith(start) and not (start in (b"MZ", b"ID3", b"BZh", b"GIF8", b"RIFF", b"Rar!") and _is_text(head)):
            raise DataError(f"{source.name} is {what}, not a table.", FORMATS)
    return _finish(_read_text(source, options), source)


def _read_text(source: Source, options: dict) -> Table:
    decoded = decode(source, options["encoding"])
    text, problems = _without_nul(decoded.source, source.name)
    start = text.head(2048).decode("utf-8", errors="ignore").removeprefix("\ufeff").lstrip()
    if not start and not text.read().strip(b"\xef\xbb\xbf \t\r\n\x00"):
        raise DataError(f"{source.name} is empty.", "Choose a file with data in it.")
    lowered = start.lower()
    tables = lowered[:1] == "<" and ("<table" in lowered or "<workbook" in lowered)
    if tables or lowered.startswith(("<html", "<!doctype html", "<meta")):
        table = read_html(text)
    elif lowered.startswith(("<?xml", "<svg")):
        raise DataError(f"{source.name} is an XML document, not a table.", FORMATS)
    elif looks_like_json(start) and not options["delimiter"]:
        table = read_json(text, skip_broken=options["skip_broken"])
    else:
        table = read_delimited(text, delimiter=_delimiter(options["delimiter"]), skip_broken=options["skip_broken"])
    table.encoding = decoded.encoding
    table.problems = decoded.problems + problems + table.problems
    return table


def _delimiter(chosen: str) -> str:
    """What a person may write for a delimiter: the character itself, or its name."""
    names = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
    delimiter = names.get(chosen.lower(), chosen)
    if chosen and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '\r\n"'):
        raise DataError(f"A delimiter is one character, not {chosen!r}.", "Use , ; | or tab.")
    return delimiter


def _without_nul(source: Source, name: str) -> tuple[Source, list[Problem]]:
    """NUL is never part of a text. A few are left out and told by line; many mean that this is no text."""
    if not any(b"\0" in chunk for chunk in source.chunks()):
        return source, []
    count = sum(chunk.count(0) for chunk in source.chunks())
    if count > 0.1 * source.size:
        raise DataError(f"{name} is not a text or a table: it is full of zero bytes.", FORMATS)
    data = source.read()
    lines = [number for number, line in enumerate(data.split(b"\n"), 1) if b"\0" in line]
    told = ", ".join(map(str, lines[:5])) + (" ..." if len(lines) > 5 else "")
    problem = Problem(code="nul-bytes", severity="warning", count=count, message=f"Zero bytes were left out: line {told}.",
                      hint="See whether text is missing there.")  # fmt: skip
    return Source(source.name, data=data.replace(b"\0", b"")), [problem]


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


def _read_archive(source: Source, options: dict, limit: int, depth: int) -> Table:
    """A zip of one file, or of a train and a test file, which are a split."""
    members = archives.unpack_zip(source, limit, chosen=options["sheet"])
    table = _read(members.train, options, limit, depth=depth + 1)
    if members.test is not None:
        # What was chosen for the one file need not fit the other.
        table.test = _read(members.test, {**options, "encoding": "", "delimiter": ""}, limit, depth=depth + 1)
    table.problems += members.problems
    return table


def _finish(table: Table, source: Source) -> Table:
    if table.frame.width == 0:
        raise DataError(f"{source.name} has no columns.", "Choose a file with data in it.")
    if table.rows == 0:
        raise DataError(
            f"{source.name} has a header ({', '.join(table.columns[:8])}) but no rows.", "Choose a file with data in it."
        )
    if table.rows > MAX_ROWS:
        raise DataError(f"{source.name} has {table.rows:,} rows.", f"At most {MAX_ROWS:,} can be read.")
    table.problems += _overflow(table)
    return table


def _overflow(table: Table) -> list[Problem]:
    """Rows that go on in columns without a name: a text was cut where it holds the delimiter."""
    unnamed = [name for name in table.columns if re.fullmatch(r"column_\d+_*", name)]
    named = [name for name in table.columns if name not in unnamed]
    if not unnamed or not named or table.columns[-1] not in unnamed or any(table.is_nested(name) for name in unnamed):
        return []
    filled = table.frame.select(any=polars.any_horizontal([polars.col(name).str.strip_chars() != "" for name in unnamed]))["any"]
    rows = (filled.fill_null(False).arg_true() + 1).to_list()
    if not 0 < len(rows) < 0.2 * table.rows:
        return []
    return [
        row_problem(
            "overflow", "warning", f"{len(rows):,} row{' goes' if len(rows) == 1 else 's go'} on in columns without a name: "
            "their text was probably cut at a delimiter.", rows, hint="Put texts that hold the delimiter in quotation marks.",
        )
    ]  # fmt: skip
