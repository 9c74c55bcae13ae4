"""Any file a person has becomes a `Table`, or a DataError that says why not. Content decides, never the file's name.

    table = read_table(Path("spam.csv"))
    table.rows, table.columns, table.encoding, table.problems

Nothing is executed or fetched. Limits: `settings.max_upload_bytes()` for the file and for what an archive unpacks to.
"""

import re
from pathlib import Path

from lora_hub.core import settings
from lora_hub.core.errors import DataError, names_fa
from lora_hub.core.schema import Problem
from lora_hub.data import archive_members, archives, error_words
from lora_hub.data.archive_tables import join_parts, read_plan, test_part
from lora_hub.data.cells import table_of_form
from lora_hub.data.chat_columns import as_chats
from lora_hub.data.columnar import read_arrow, read_parquet
from lora_hub.data.delimited import read_delimited
from lora_hub.data.encodings import decode
from lora_hub.data.exports import read_export
from lora_hub.data.formats import FORMATS, FORMATS_FA
from lora_hub.data.html_tables import is_html, read_html
from lora_hub.data.json_files import looks_like_json, read_json
from lora_hub.data.refusals import refuse_binary, refuse_noise
from lora_hub.data.source import Source
from lora_hub.data.split_columns import split_by_column
from lora_hub.data.spreadsheets import OLE, read_workbook, workbook_kind
from lora_hub.data.table import MAX_ROWS, Table, some
from lora_hub.data.text_forms import form_of, read_form, refuse_form

__all__ = ["Table", "read_table"]

SAMPLE = 64 << 10


def read_table(
    path: Path, *, encoding: str = "", delimiter: str = "", sheet: str = "", skip_broken: bool = False, is_test: bool = False
) -> Table:
    """The table in a file. `encoding`, `delimiter`, `sheet` (of a workbook, or the file of an archive): what a person chose;
    empty: decided by content. `skip_broken`: go on without lines that cannot be read. `is_test`: the file is to be scored on, so
    that of a train and a test part the test part is the table. Raises DataError, whose message names line and reason."""
    path = Path(path)
    if path.is_dir():
        raise DataError(
            f"{str(path)!r} is a folder.", "Choose the file in it, or put its files into a zip.",
            message_fa=f"نشانیِ «{path}» پوشه است.", hint_fa="پرونده‌ای را که در آن است برگزینید، یا پرونده‌هایش را در یک zip بگذارید.",
        )  # fmt: skip
    if not path.is_file():
        what = "There is no file" if not path.exists() else "This is no file that can be read:"
        raise DataError(
            f"{what} {str(path)!r}.", "Check the path.",
            message_fa=f"پرونده‌ای در «{path}» نیست." if not path.exists() else f"آنچه در «{path}» است پرونده‌ای خواندنی نیست.",
            hint_fa="نشانیِ پرونده را وارسی کنید.",
        )  # fmt: skip
    size, limit = path.stat().st_size, settings.max_upload_bytes()
    if size > limit:
        raise DataError(
            f"{path.name} is {size >> 20} MB; the limit is {limit >> 20} MB.", "Use a smaller file, or raise LORA_HUB_MAX_UPLOAD_MB.",
            message_fa=f"پروندهٔ «{path.name}» {size >> 20} مگابایت است؛ حداکثر {limit >> 20} مگابایت پذیرفته می‌شود.", hint_fa=error_words.SMALLER_FILE_FA,
        )  # fmt: skip
    options = {"encoding": encoding, "delimiter": delimiter, "sheet": sheet, "skip_broken": skip_broken}
    source = Source(path.name, path=path)
    try:
        source.head(1)
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be opened: {error.strerror or error}.", "See whether you may read it.",
            message_fa=f"پروندهٔ «{path.name}» باز نمی‌شود ({error.strerror or error}).", hint_fa="ببینید اجازهٔ خواندن آن را دارید یا نه.",
        ) from None  # fmt: skip
    table = split_by_column(_read(source, options, limit), is_test=is_test)
    if not is_test:
        return table
    if not sheet and table.test is None and (other := archive_members.test_member(table.sheets)) not in ("", table.sheet):
        table = split_by_column(_read(source, {**options, "sheet": other}, limit), is_test=True)
    return test_part(table)


def _read(source: Source, options: dict, limit: int, *, depth: int = 0) -> Table:
    if source.size == 0:
        raise DataError(
            f"{source.name} is empty.", "Choose a file with data in it.",
            message_fa=f"پروندهٔ «{source.name}» خالی است.", hint_fa=error_words.CHOOSE_FILE_FA,
        )  # fmt: skip
    if depth > 2:
        raise DataError(
            f"{source.name} is an archive in an archive in an archive.", "Unpack it first.",
            message_fa=f"«{source.name}» بایگانی‌ای درون بایگانی‌ای درون بایگانی است.", hint_fa="نخست آن را بگشایید.",
        )  # fmt: skip
    head = source.head(4096)
    if kind := archives.packing(head):
        return _read(archives.unpack(source, kind, limit), options, limit, depth=depth + 1)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        kind = workbook_kind(source)
        if kind:
            archives.check_size(source, 4 * limit)
            return _finish(read_workbook(source, kind, sheet=options["sheet"]), source)
        return _read_archive(source, options, limit, depth)
    if archives.is_tar(head):
        return _read_archive(source, options, limit, depth)
    if head[:4] == b"PAR1":
        return _finish(read_parquet(source, limit=limit), source)
    if head[:6] == b"ARROW1" or head[:4] == b"\xff\xff\xff\xff":
        return _finish(read_arrow(source, limit=limit), source)
    if head.startswith(OLE):
        return _finish(read_workbook(source, "xls", sheet=options["sheet"]), source)
    refuse_binary(source, head)
    return _finish(_read_text(source, options), source)


def _read_text(source: Source, options: dict) -> Table:
    decoded = decode(source, options["encoding"])
    if decoded.source is source or not decoded.encoding.startswith("utf"):
        refuse_noise(source)
    text, problems = _without_nul(decoded.source, source.name)
    head = text.head(SAMPLE).decode("utf-8", errors="ignore")
    start = head.removeprefix("\ufeff").lstrip()
    if not start and not text.read().strip(b"\xef\xbb\xbf \t\r\n\x00"):
        raise DataError(
            f"{source.name} is empty.", "Choose a file with data in it.",
            message_fa=f"پروندهٔ «{source.name}» خالی است.", hint_fa=error_words.CHOOSE_FILE_FA,
        )  # fmt: skip
    chosen = options["delimiter"]
    if not chosen:
        refuse_form(start, source.name)
    whole = text.size <= SAMPLE
    if is_html(start):
        table = read_html(text, sheet=options["sheet"])
    elif _is_xml(start, whole):
        raise DataError(
            f"{source.name} is an XML document, not a table.", FORMATS,
            message_fa=f"پروندهٔ «{source.name}» سند XML است، نه جدول.", hint_fa=FORMATS_FA,
        )  # fmt: skip
    elif not chosen and looks_like_json(start):
        table = read_json(text, skip_broken=options["skip_broken"])
    else:
        table = _read_form(text, start if whole else start.rpartition("\n")[0]) if not chosen else None
        table = table or read_delimited(text, delimiter=_delimiter(chosen), skip_broken=options["skip_broken"])
    table.encoding = decoded.encoding
    table.problems = decoded.problems + problems + table.problems
    return table


def _read_form(text: Source, start: str) -> Table | None:
    """The table of a form other than delimited cells; None where it is none of those."""
    form = form_of(start)
    read = read_form(text.read().decode("utf-8", errors="replace"), form) if form else None
    return table_of_form(*read, form) if read else None


def _is_xml(start: str, whole: bool) -> bool:
    if start.lower().startswith(("<?xml", "<svg", "<!doctype")):
        return True
    named = re.match(r"<([A-Za-z_][\w:.-]*)(\s[^<>]*)?>", start)
    return bool(named) and (start.rstrip().endswith(f"</{named[1]}>") if whole else f"</{named[1]}>" not in start and start.count("</") > 5)


def _delimiter(chosen: str) -> str:
    """What a person may write for a delimiter: the characters themselves, or a name."""
    names = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "\\x01": "\x01", "\\x1f": "\x1f"}
    delimiter = names.get(chosen.lower(), chosen)
    if chosen and (len(delimiter) > 5 or any(mark in delimiter for mark in '\r\n"')):
        raise DataError(
            f"A delimiter is one to five characters, not {chosen!r}.", "Use , ; | or tab.",
            message_fa=f"جداکننده یک تا پنج نویسه است، نه «{chosen}».", hint_fa="نشانهٔ , یا ; یا | یا tab را به کار ببرید.",
        )  # fmt: skip
    return delimiter


def _without_nul(source: Source, name: str) -> tuple[Source, list[Problem]]:
    """NUL is never part of a text. A few are left out and told by line; many mean that this is no text. Those at the end, and
    the end-of-file mark of old systems there, are padding."""
    with source.open() as file:
        file.seek(max(0, source.size - 4096))
        padding = re.search(rb"[\0\x1a]+[\r\n]*\Z", file.read())
    if padding and b"\x1a" in padding[0] and len(padding[0]) < source.size:
        source = Source(source.name, data=source.read()[: -len(padding[0])])
    if not any(b"\0" in chunk for chunk in source.chunks()):
        return source, []
    count = sum(chunk.count(0) for chunk in source.chunks())
    if count > 0.1 * source.size:
        raise DataError(
            f"{name} is not a text or a table: it is full of zero bytes.", FORMATS,
            message_fa=f"پروندهٔ «{name}» متن یا جدول نیست: پر از بایت صفر است.", hint_fa=FORMATS_FA,
        )  # fmt: skip
    data = source.read()
    lines = [number for number, line in enumerate(data.split(b"\n"), 1) if b"\0" in line]
    problem = Problem(
        code="nul-bytes", severity="warning", count=count, message=f"Zero bytes were left out: line {some(lines)}.",
        message_fa=f"بایت‌های صفر کنار گذاشته شدند: سطر {some(lines)}.", hint="See whether text is missing there.",
        hint_fa="ببینید در آن‌جا متنی کم نباشد.",
    )  # fmt: skip
    return Source(source.name, data=data.replace(b"\0", b"")), [problem]


def _read_archive(source: Source, options: dict, limit: int, depth: int) -> Table:
    """One file of an archive, or a train and a test file, which are a split; or texts in two languages, or a folder a class."""
    with archives.open_members(source, limit) as members:
        plan = archive_members.choose_members(members, source.name, chosen=options["sheet"])
        main = [Source(member.base, data=member.read(limit)) for member in plan.main]
        test = [Source(member.base, data=member.read(limit)) for member in plan.test]
    if plan.kind == "file":
        inner = options if len(plan.choices) == 1 and options["sheet"] != plan.main[0].name else {**options, "sheet": ""}
        table = _read(main[0], inner, limit, depth=depth + 1)
        if test:
            # What was chosen for the one file need not fit the other.
            table.test = _read(test[0], {**inner, "encoding": "", "delimiter": "", "sheet": ""}, limit, depth=depth + 1)
    elif plan.kind == "parts":
        table = join_parts([_read(part, options, limit, depth=depth + 1) for part in main], source.name)
        table.test = join_parts([_read(part, options, limit, depth=depth + 1) for part in test], source.name) if test else None
    else:
        table = _finish(read_plan(plan, main, options["encoding"], limit, source.name), source)
        table.test = read_plan(plan, test, "", limit, source.name, members=plan.test) if test else None
    if len(plan.choices) > 1:
        table.sheet, table.sheets = plan.named(plan.main), plan.choices
    table.problems += plan.problems()
    return table


def _finish(table: Table, source: Source) -> Table:
    for part in (table, table.test):
        if part is not None and part.rows:
            part.frame = as_chats(part.frame)
    if table.frame.width == 0:
        raise DataError(
            f"{source.name} has no columns.", "Choose a file with data in it.",
            message_fa=f"پروندهٔ «{source.name}» ستونی ندارد.", hint_fa=error_words.CHOOSE_FILE_FA,
        )  # fmt: skip
    if table.rows == 0:
        raise DataError(
            f"{source.name} has a header ({some(table.columns, 8)}) but no rows.", "Choose a file with data in it.",
            message_fa=f"پروندهٔ «{source.name}» سرستون دارد ({names_fa(table.columns, 8)}) اما سطری ندارد.", hint_fa=error_words.CHOOSE_FILE_FA,
        )  # fmt: skip
    if table.rows > MAX_ROWS:
        raise DataError(
            f"{source.name} has {table.rows:,} rows.", f"At most {MAX_ROWS:,} can be read.",
            message_fa=f"پروندهٔ «{source.name}» {table.rows:,} سطر دارد.", hint_fa=f"حداکثر {MAX_ROWS:,} سطر خوانده می‌شود.",
        )  # fmt: skip
    if table.test is not None and not table.test.rows:
        table.test = None
    return read_export(table)
