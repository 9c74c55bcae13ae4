"""Turns any file into a `Table`, or raises a DataError with the reason. Decides by content, never by the file's name.

    table = read_table(Path("spam.csv"))
    table.rows, table.columns, table.encoding, table.problems

Executes and fetches nothing. Limits: `settings.max_upload_bytes()` for the file and for the unpacked size of an
archive.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from lora_hub.core import settings
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.columns.chat_columns import as_chats
from lora_hub.data.columns.mark_columns import with_marked_labels
from lora_hub.data.columns.split_columns import split_by_column
from lora_hub.data.read import archive_members, archives, formats
from lora_hub.data.read.archive_tables import join_parts, read_plan, test_part
from lora_hub.data.read.delimited import read_delimited
from lora_hub.data.read.encodings import decode
from lora_hub.data.read.exports import read_export
from lora_hub.data.read.formats import FORMATS
from lora_hub.data.read.refusals import refuse_binary, refuse_noise
from lora_hub.data.read.source import Source
from lora_hub.data.read.text_forms import START, refuse_form
from lora_hub.data.tables.limits import check_cells, check_size
from lora_hub.data.tables.table import Table

__all__ = ["Table", "read_table"]

MAX_PARTS = 1_000  # tables of an archive: each is checked separately, at least 6 ms


def read_table(
    path: Path,
    *,
    encoding: str = "",
    delimiter: str = "",
    sheet: str = "",
    skip_broken: bool = False,
    is_test: bool = False,
) -> Table:
    """The table in a file. `encoding`, `delimiter`, `sheet` (of a workbook, or the file of an archive): the person's
    choice; empty: decided by content. `skip_broken`: leave out lines that cannot be read. `is_test`: the file will be
    scored, so of a train and a test part, the test part is the table. Raises DataError whose message names line and
    reason."""
    path = Path(path)
    if path.is_dir():
        raise DataError(
            _("{path!r} is a folder."),
            _("Choose the file in it, or put its files into a zip."),
            path=path,
        )
    if not path.is_file():
        said = _("This is no file that can be read: {path!r}.") if path.exists() else _("There is no file {path!r}.")
        raise DataError(said, _("Check the path."), path=path)
    size, limit = path.stat().st_size, settings.max_upload_bytes()
    if size > limit:
        raise DataError(
            _("{name} is {size:.0f} MB; the limit is {limit:.0f} MB."),
            _("Use a smaller file, or raise LORA_HUB_MAX_UPLOAD_MB."),
            name=path.name,
            size=size / 1e6,
            limit=limit / 1e6,
        )
    options = {"encoding": encoding, "delimiter": delimiter, "sheet": sheet, "skip_broken": skip_broken}
    source = Source(path.name, path=path)
    try:
        source.head(1)
    except OSError as error:
        raise DataError(
            _("{name} cannot be opened: {reason}."),
            _("See whether you may read it."),
            name=path.name,
            reason=error.strerror or error,
        ) from None
    table = split_by_column(_read(source, options, limit), is_test=is_test)
    if not is_test:
        return table
    if (
        not sheet
        and table.test is None
        and (other := archive_members.test_member(table.sheets)) not in ("", table.sheet)
    ):
        table = split_by_column(_read(source, {**options, "sheet": other}, limit), is_test=True)
    return test_part(table)


def _read(source: Source, options: dict, limit: int, *, depth: int = 0) -> Table:
    if source.size == 0:
        raise DataError(_("{name} is empty."), _("Choose a file with data in it."), name=source.name)
    if depth > 2:
        raise DataError(
            _("{name} is an archive in an archive in an archive."),
            _("Unpack it first."),
            name=source.name,
        )
    head = source.head(4096)
    if kind := archives.packing(head):
        return _read(archives.unpack(source, kind, limit), options, limit, depth=depth + 1)
    for reader in map(_reader, formats.readers(binary=True)):
        if reader.begins(source, head):
            return _finish(reader.read(source, {**options, "limit": limit}), source)
    if head[:4] in archives.ZIP or archives.is_tar(head):
        return _read_archive(source, options, limit, depth)
    refuse_binary(source, head)
    return _finish(_read_text(source, {**options, "limit": limit}), source)


def _reader(name: str) -> Any:
    """A module named in `formats.TABLES`."""
    return import_module(f"lora_hub.data.read.{name}")


def _read_text(source: Source, options: dict) -> Table:
    decoded = decode(source, options["encoding"])
    if decoded.source is source or not decoded.encoding.startswith("utf"):
        refuse_noise(source)
    text, problems = _without_nul(decoded.source, source.name)
    head = text.head(START).decode("utf-8", errors="ignore")
    start = head.removeprefix("\ufeff").lstrip()
    if not start and not text.read().strip(b"\xef\xbb\xbf \t\r\n\x00"):
        raise DataError(_("{name} is empty."), _("Choose a file with data in it."), name=source.name)
    chosen = options["delimiter"]
    if not chosen:
        refuse_form(start, source.name)
    asked = map(_reader, formats.readers(binary=False, delimiter=chosen))
    table = next((found for one in asked if one.begins(text, start) and (found := one.read(text, options))), None)
    if table is None and _is_xml(start, text.size <= START):
        raise DataError(_("{name} is an XML document, not a table."), FORMATS, name=source.name)
    if table is None:
        table = read_delimited(text, delimiter=_delimiter(chosen), skip_broken=options["skip_broken"])
    table.encoding = decoded.encoding
    table.problems = decoded.problems + problems + table.problems
    return table


def _is_xml(start: str, whole: bool) -> bool:
    if start.lower().startswith(("<?xml", "<svg", "<!doctype")):
        return True
    named = re.match(r"<([A-Za-z_][\w:.-]*)(\s[^<>]*)?>", start)
    return bool(named) and (
        start.rstrip().endswith(f"</{named[1]}>") if whole else f"</{named[1]}>" not in start and start.count("</") > 5
    )


def _delimiter(chosen: str) -> str:
    """A delimiter as a person writes it: the characters themselves, or a name."""
    names = {
        "tab": "\t",
        "\\t": "\t",
        "comma": ",",
        "semicolon": ";",
        "pipe": "|",
        "space": " ",
        "\\x01": "\x01",
        "\\x1f": "\x1f",
    }
    delimiter = names.get(chosen.lower(), chosen)
    if chosen and (len(delimiter) > 5 or any(mark in delimiter for mark in '\r\n"')):
        raise DataError(
            _("A delimiter is one to five characters, not {chosen!r}."),
            _("Use , ; | or tab."),
            chosen=chosen,
        )
    return delimiter


def _without_nul(source: Source, name: str) -> tuple[Source, list[Problem]]:
    """NUL is never part of a text. A few are removed and reported by line; many mean that this is not text. NULs at the
    end, and old systems' end-of-file mark there, are padding."""
    with source.open() as file:
        file.seek(max(0, source.size - 4096))
        padding = re.search(rb"[\0\x1a]+[\r\n]*\Z", file.read())
    if padding and b"\x1a" in padding[0] and len(padding[0]) < source.size:
        source = Source(source.name, data=source.read()[: -len(padding[0])])
    if not any(b"\0" in chunk for chunk in source.chunks()):
        return source, []
    count = sum(chunk.count(0) for chunk in source.chunks())
    if count > 0.1 * source.size:
        raise DataError(_("{name} is not a text or a table: it is full of zero bytes."), FORMATS, name=name)
    data = source.read()
    lines = [number for number, line in enumerate(data.split(b"\n"), 1) if b"\0" in line]
    problem = Problem(
        code="nul-bytes",
        severity="warning",
        count=count,
        said=_("Zero bytes were left out: line {lines}.", lines=several(lines, most=5)),
        advice=_("See whether text is missing there."),
    )
    return Source(source.name, data=data.replace(b"\0", b"")), [problem]


def _read_archive(source: Source, options: dict, limit: int, depth: int) -> Table:
    """Reads one file of an archive; or a train and a test file, which form a split; or texts in two languages; or a
    folder for each class."""
    with archives.open_members(source, limit) as members:
        plan = archive_members.choose_members(members, source.name, chosen=options["sheet"])
        parts = len(plan.main) + len(plan.test)
        if plan.kind == "parts" and parts > MAX_PARTS:
            raise DataError(
                _("{name} holds {parts:,} tables; at most {most:,} are read as one."),
                _("Join them into fewer files, such as one CSV, and upload that."),
                name=source.name,
                parts=parts,
                most=MAX_PARTS,
            )
        main = [Source(member.base, data=member.read(limit)) for member in plan.main]
        test = [Source(member.base, data=member.read(limit)) for member in plan.test]
    if plan.kind == "file":
        inner = (
            options if len(plan.choices) == 1 and options["sheet"] != plan.main[0].name else {**options, "sheet": ""}
        )
        table = _read(main[0], inner, limit, depth=depth + 1)
        if test:
            # Options chosen for one file need not fit the other.
            table.test = _read(test[0], {**inner, "encoding": "", "delimiter": "", "sheet": ""}, limit, depth=depth + 1)
    elif plan.kind == "parts":
        table = join_parts([_read(part, options, limit, depth=depth + 1) for part in main], source.name)
        table.test = (
            join_parts([_read(part, options, limit, depth=depth + 1) for part in test], source.name) if test else None
        )
    else:
        table = read_plan(plan, main, options["encoding"], limit, source.name)
        table.test = read_plan(plan, test, "", limit, source.name, members=plan.test) if test else None
        table = _finish(table, source)
    if len(plan.choices) > 1:
        table.sheet, table.sheets = plan.named(plan.main), plan.choices
    table.problems += plan.problems()
    return table


def _finish(table: Table, source: Source) -> Table:
    for part in (table, table.test):
        if part is not None and part.rows:
            check_size(source.name, rows=part.rows, columns=part.frame.width)
            check_cells(part.frame, source.name)
            part.frame = as_chats(part.frame)
    if table.frame.width == 0:
        raise DataError(_("{name} has no columns."), _("Choose a file with data in it."), name=source.name)
    if table.rows == 0:
        raise DataError(
            _("{name} has a header ({columns}) but no rows."),
            _("Choose a file with data in it."),
            name=source.name,
            columns=several(table.columns, most=8),
        )
    if table.test is not None and not table.test.rows:
        table.test = None
    return with_marked_labels(read_export(table))
