"""Detects a text file's encoding and converts the text to UTF-8.

Order: strict UTF-8, byte order marks, UTF-16 and UTF-32 by their zero bytes, then detection (`code_pages`). The result
is shown beside the preview, and a person can choose another encoding.
"""

import codecs
import re
from dataclasses import dataclass, field

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.read import code_pages
from lora_hub.data.read.source import Source

BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
SAMPLE = 64 << 10
FEW = 0.02  # of the bytes beyond ASCII
# Common names, by Python's name of the codec.
SHOWN = {
    "cp1252": "windows-1252",
    "cp1250": "windows-1250",
    "cp1251": "windows-1251",
    "cp1253": "windows-1253",
    "cp1254": "windows-1254",
    "cp1255": "windows-1255",
    "cp1256": "windows-1256",
    "cp1257": "windows-1257",
    "cp932": "shift_jis",
    "cp949": "euc_kr",
    "cp950": "big5",
    "mac_roman": "macintosh",
    "latin_1": "latin-1",
    "iso8859-1": "latin-1",
}


@dataclass
class Decoded:
    """`source` is UTF-8, with or without a byte order mark."""

    source: Source
    encoding: str
    problems: list[Problem] = field(default_factory=list)


def decode(source: Source, encoding: str = "") -> Decoded:
    """The text of `source` as UTF-8. `encoding`: what the person chose; empty: detected. Raises DataError naming the
    line if the bytes are not valid in the chosen encoding."""
    if encoding:
        return _decode_chosen(source, encoding)
    head = source.head(4)
    for mark, name in BOMS:
        if head.startswith(mark):
            if name == "utf-8-sig":
                return _decode_utf8(source, name)
            return _transcode_wide(source, name)
    if wide := _wide_without_mark(source.head(4096)):
        return _transcode_wide(source, wide)
    if is_utf8(source):
        return Decoded(source, "utf-8")
    return _detect(source)


def is_utf8(source: Source) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in source.chunks():
            if not chunk.isascii() or decoder.getstate()[0]:
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _decode_utf8(source: Source, name: str) -> Decoded:
    if is_utf8(source):
        return Decoded(source, name)
    return _repair_utf8(source, name)


def _damage(data: bytes) -> float:
    """Share of the bytes beyond ASCII that are not UTF-8."""
    high = len(data.translate(None, bytes(range(128))))
    return (len(data) - len(data.decode("utf-8", errors="ignore").encode())) / max(1, high)


def _repair_utf8(source: Source, name: str) -> Decoded:
    """UTF-8 with a few damaged bytes: they become U+FFFD and are reported by line."""
    return _with_replacements(source, source.read().decode("utf-8", errors="replace"), name)


def _transcode_wide(source: Source, name: str) -> Decoded:
    """UTF-16 or UTF-32; half characters become U+FFFD and are reported by line."""
    try:
        return _transcode(source, name)
    except ValueError:
        return _with_replacements(source, source.read().decode(name, errors="replace").removeprefix("\ufeff"), name)


def _with_replacements(source: Source, text: str, name: str) -> Decoded:
    lines = [number for number, line in enumerate(text.split("\n"), 1) if "\ufffd" in line]
    problem = Problem(
        code="damaged-bytes",
        severity="warning",
        count=len(lines),
        said=_(
            "The file is {encoding}, but some bytes are not: line {lines}. They are shown as \ufffd.",
            encoding=shown(name),
            lines=several(lines, most=5),
        ),
        advice=_("Correct these lines, or choose another encoding."),
    )
    return Decoded(Source(source.name, data=text.encode()), name, [problem])


def _decode_chosen(source: Source, encoding: str) -> Decoded:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise DataError(
            _("There is no encoding named {encoding!r}."),
            _("Try utf-8, windows-1252 or windows-1256."),
            encoding=encoding,
        ) from None
    if name in ("utf-8", "utf-8-sig"):
        if is_utf8(source):
            return Decoded(source, name)
        if _damage(source.read()) < FEW:
            return _repair_utf8(source, name)
        raise _undecodable(source, encoding, "utf-8")
    # A shown name may mean the larger code page that was detected: shift_jis for windows-932.
    for codec in dict.fromkeys(
        (next((codec for codec, told in SHOWN.items() if told == encoding), encoding), encoding)
    ):
        try:
            decoded = _transcode(source, codec)
        except (ValueError, LookupError):
            continue
        decoded.encoding = shown(name) if codec == encoding else encoding
        return decoded
    raise _undecodable(source, encoding, name)


def _undecodable(source: Source, encoding: str, name: str) -> DataError:
    try:
        source.read().decode(name)
    except UnicodeDecodeError as error:
        line = source.read()[: error.start].count(b"\n") + 1
        return DataError(
            _("The file is not in {encoding}: line {line} has the byte {byte}."),
            _("Leave the encoding empty to have it detected, or choose another."),
            encoding=encoding,
            line=line,
            byte=f"0x{error.object[error.start]:02x}",
        )
    except (ValueError, LookupError):
        pass
    return DataError(
        _("The file cannot be read as {encoding}."),
        _("Leave the encoding empty to have it detected."),
        encoding=encoding,
    )


def _transcode(source: Source, encoding: str) -> Decoded:
    """Raises UnicodeDecodeError (a ValueError) if the bytes are not in `encoding`."""
    text = source.read().decode(encoding)
    if not isinstance(text, str):
        raise ValueError(encoding)
    data = text.removeprefix("\ufeff").encode("utf-8", errors="replace")
    return Decoded(Source(source.name, data=data), shown(encoding))


def shown(encoding: str) -> str:
    """The common name of an encoding."""
    return SHOWN.get(encoding, encoding.replace("_", "-") if encoding.startswith(("iso", "utf", "mac")) else encoding)


def _wide_without_mark(head: bytes) -> str:
    """UTF-16 or UTF-32 without a byte order mark. Line breaks, spaces and delimiters have a zero byte in any script; in
    the wrong byte order they become rare characters."""
    head = head[: len(head) // 4 * 4]
    if len(head) < 8 or b"\0" not in head:
        return ""
    if head.count(0) < 0.3 * len(head) and not any(byte < 9 for byte in set(head) - {0}):
        return ""  # a text with a few zero bytes: in UTF-16, non-Latin letters have control bytes
    quarters = [head[place::4].count(0) * 4 / len(head) for place in range(4)]
    if min(quarters[:2]) > 0.95 and quarters[3] < 0.5:
        return "utf-32-be"
    if min(quarters[2:]) > 0.95 and quarters[0] < 0.5:
        return "utf-32-le"
    marks = {"utf-16-le": _marks(head, "utf-16-le"), "utf-16-be": _marks(head, "utf-16-be")}
    better = max(marks, key=marks.get)
    worse = min(marks, key=marks.get)
    return better if marks[better] > 0.04 and marks[better] > 8 * marks[worse] else ""


def _marks(head: bytes, name: str) -> float:
    """Share of characters that every table contains; zero if the bytes are not valid text in `name`."""
    text = head.decode(name, errors="replace")
    odd = sum(character < " " and character not in "\t\r\n" or character == "\ufffd" for character in text[:-1])
    if odd > 0.02 * len(text):
        return 0.0
    return sum(character in ' ,;\t|\r\n"' or character.isascii() and character.isalnum() for character in text) / len(
        text
    )


def _detect(source: Source) -> Decoded:
    data = source.read()
    if _damage(data) < FEW:
        return _repair_utf8(source, "utf-8")
    lines, size = [], 0
    for line in re.split(rb"[\r\n]+", data):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > SAMPLE:
                break
    name = code_pages.guess(b"\n".join(lines))
    for candidate in dict.fromkeys((name, "cp1252", "latin-1")):
        try:
            decoded = _transcode(source, candidate)
        except ValueError:
            continue
        if candidate == "cp1252" and not re.search(rb"[\x80-\x9f]", data):
            decoded.encoding = "latin-1"  # the two differ in these bytes only
        decoded.problems.append(
            Problem(
                code="encoding-detected",
                severity="info",
                said=_(
                    "The file is not UTF-8; it was read as {encoding}, which was guessed from its letters.",
                    encoding=decoded.encoding,
                ),
                advice=_("If letters look wrong in the preview, choose another encoding."),
            )
        )
        return decoded
    raise AssertionError("latin-1 decodes every byte")
