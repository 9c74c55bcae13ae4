"""Reads JSON files: JSONL, and documents. Documents are parsed strictly first, then with common deviations from JSON:
comments, trailing commas, Python's quotes, NaN, bare line breaks in a text. `json_shapes` interprets a document."""

import json
import re
from typing import Any

from lora_hub.core.errors import DataError, reason_of
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Problem
from lora_hub.data.read.json_lines import read_lines
from lora_hub.data.read.json_rows import frame_of
from lora_hub.data.read.json_shapes import table_of_document
from lora_hub.data.read.source import Source
from lora_hub.data.tables import error_words, strict_json
from lora_hub.data.tables.table import Table

STRING = r'"(?:[^"\\]|\\.)*"'
COMMENT = re.compile(rf"({STRING})|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
LAST_COMMA = re.compile(rf"({STRING})|,(?=\s*[\]}}])")
LENIENT = 64 << 20  # bytes of a document that is parsed leniently


def begins(source: Source, start: str) -> bool:
    return not start.startswith("<") and looks_like_json(start)  # a page can contain lines of JSON


def read(source: Source, options: dict) -> Table:
    return read_json(source, skip_broken=options["skip_broken"])


def looks_like_json(head: str) -> bool:
    """Decides by the beginning of a file, even if the first line is broken, a comment, or a JSON text."""
    start = re.sub(r"^(//[^\r\n]*\s*|/\*.*?\*/\s*)+", "", head.lstrip("\ufeff\x1e \t\r\n"), flags=re.DOTALL)
    if start[:1] in ("{", "["):
        return True
    lines = [line.strip() for line in re.split(r"[\r\n]+", head)[:50] if line.strip()]
    if start[:1] == '"':
        texts = [line.rstrip(",") for line in (lines[:-1] if len(lines) > 49 else lines)]
        if "\\" in head and all(re.fullmatch(STRING, text) and _parses(text) for text in texts):
            return True
    rest = lines[1:-1] if len(lines) > 3 else []
    whole = sum((line[0], line[-1]) == ("{", "}") and _parses(line) for line in rest)
    return whole > 1 and (
        whole == len(rest) or whole >= 0.4 * len(rest) and all(_is_piece(line) for line in lines[:-1])
    )


def _is_piece(line: str) -> bool:
    """Whether a line may be one end of an object that was cut off at the start or the end."""
    return line[0] == "{" or line[-1] == "}"


def read_json(source: Source, *, skip_broken: bool = False) -> Table:
    """Table of UTF-8 JSON or JSONL. Raises DataError with line and reason."""
    try:
        return _read_json(source, skip_broken=skip_broken)
    except strict_json.DoubledKey as error:
        raise DataError(
            _("{name} cannot be read as it stands: {reason}."),
            _("Name one of the two otherwise, or remove it."),
            name=source.name,
            reason=reason_of(error),
        ) from None


def _read_json(source: Source, *, skip_broken: bool) -> Table:
    if source.head(1) == b"\x1e":  # a mark before each text (RFC 7464)
        source = Source(source.name, data=source.read().replace(b"\x1e", b""))
    if _is_lines(source):
        return read_lines(source, skip_broken=skip_broken)
    text = _text(source)
    try:
        value = strict_json.load(text)
        if isinstance(value, str):
            value = strict_json.load(value)
        return table_of_document(value, source.name, skip_broken=skip_broken)
    except json.JSONDecodeError as error:
        objects = _objects_in_a_row(text)
        if objects is not None:
            return Table(frame_of(objects, source.name), "jsonl")
        mended = _load_leniently(text) if len(text) <= LENIENT else None
        if mended is not None:
            value, what = mended
            table = table_of_document(value, source.name, skip_broken=skip_broken)
            said = _("The file is not strict JSON; it was read all the same: {what}.", what=what)
            table.problems.append(Problem(code="lenient-json", severity="info", said=said))
            return table
        if _has_rows(text):
            return read_lines(source, skip_broken=skip_broken)
        raise DataError(
            _("{name} is not valid JSON: line {line}, column {column}: {reason}."),
            _("Mend the file there, or save it as JSONL (one object a line) or CSV."),
            name=source.name,
            line=error.lineno,
            column=error.colno,
            reason=error_words.json_reason(error.msg),
        ) from None
    except RecursionError:
        raise DataError(
            _("{name} is nested too deeply."), _("Save it as one flat object a row."), name=source.name
        ) from None


def _load_leniently(text: str) -> tuple[Any, Message] | None:
    """The value, and what had to be ignored; None if the text is not JSON even then."""
    try:
        return strict_json.load(text, strict=False), _("line breaks or tabs inside texts")
    except (json.JSONDecodeError, RecursionError):
        pass
    bare = LAST_COMMA.sub(lambda found: found[1] or "", COMMENT.sub(lambda found: found[1] or " ", text))
    try:
        return strict_json.load(bare, strict=False), _("comments or needless commas")
    except (json.JSONDecodeError, RecursionError):
        pass
    if not re.match(r"\s*\[?\s*\{\s*('|\w+:)", bare) or len(text) > LENIENT // 8:
        return None
    quotes = _("quotes as Python writes them")
    try:
        return strict_json.load_python(bare.strip()), quotes
    except strict_json.DoubledKey:
        raise
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        rows = [strict_json.load_python(line.strip().rstrip(",")) for line in bare.splitlines() if line.strip()]
    except strict_json.DoubledKey:
        raise
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return (rows, quotes) if rows else None


def _text(source: Source) -> str:
    return source.read().decode("utf-8", errors="replace").removeprefix("\ufeff")


def _is_lines(source: Source) -> bool:
    """More than one line, each of which begins and ends like a JSON value."""
    head = source.head(1 << 20).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    lines = [line.strip() for line in re.split(r"[\r\n]+", head) if line.strip()]
    if source.size > 1 << 20:
        if len(lines) < 2:
            return lines[0][:1] == "{" and _starts_with_whole_value(source)
        lines.pop()
    lines = lines[:50]
    whole = sum(1 for line in lines if (line[0], line[-1]) in (("{", "}"), ("[", "]"), ('"', '"')))
    if len(lines) == 1:
        return bool(whole) and lines[0][0] == "{" and _is_row(lines[0])
    if lines[0] in ("[", "{"):
        return False
    if lines[0][0] == "[" and not _parses(lines[0]):
        return False
    if lines[0][0] in "{[" and _parses(lines[0]) and sum(map(_parses, lines)) > 0.5 * len(lines):
        return True  # objects, and lines of other values, which are reported by number
    return whole > 0.5 * len(lines) and (_parses(lines[0]) or any(_parses(line) for line in lines[1:]))


def _has_rows(text: str) -> bool:
    """Whether lines are complete objects, among others that are pieces of objects: JSONL with many lines cut off. In a
    document, a comma follows every object on its own line except the last."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    begun = sum(line[0] == "{" for line in lines)
    return 2 * begun >= len(lines) and sum(line[0] == "{" and line[-1] == "}" and _parses(line) for line in lines) > 1


def _starts_with_whole_value(source: Source) -> bool:
    with source.open() as file:
        line = file.readline()
        return _parses(line.decode("utf-8", errors="replace").strip().removeprefix("\ufeff")) and bool(
            file.readline().strip()
        )


def _parses(line: str) -> bool:
    try:
        strict_json.load(line)
    except strict_json.DoubledKey:
        return True
    except (ValueError, RecursionError):
        return False
    return True


def _is_row(line: str) -> bool:
    """A one-line file that is one row ({"text": ..., "label": ...}), not a whole document."""
    try:
        value = strict_json.load(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and ("messages" in value or "conversations" in value)


def _objects_in_a_row(text: str) -> list[dict] | None:
    """Objects one after another without commas, each over several lines."""
    decoder = strict_json.decoder()
    objects, position = [], 0
    while position < len(text):
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position == len(text):
            break
        try:
            value, position = decoder.raw_decode(text, position)
        except strict_json.DoubledKey:
            raise
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        objects.append(value)
    return objects or None
