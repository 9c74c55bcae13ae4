"""Which encoding a text file is in, and its text as UTF-8.

Strict UTF-8 first, then byte order marks, then UTF-16 by its zero bytes, then detection by charset-normalizer with one
correction: among the Latin code pages it guesses by chance (latin-1 as cp1250), so that family is decided by which
letters come out. What was decided is told beside the preview, and a person can name another.
"""

import codecs
import re
from dataclasses import dataclass, field

from lora_hub.data.source import Source
from lora_hub.errors import DataError
from lora_hub.schema import Problem

BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
SAMPLE = 64 << 10
FEW = 0.02  # of the bytes beyond ASCII
# Names people know, by Python's own name of the codec.
SHOWN = {
    "cp1252": "windows-1252", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp1253": "windows-1253",
    "cp1254": "windows-1254", "cp1255": "windows-1255", "cp1256": "windows-1256", "cp1257": "windows-1257",
    "cp932": "shift_jis", "cp949": "euc_kr", "cp950": "big5", "latin_1": "latin-1", "iso8859-1": "latin-1",
}  # fmt: skip
# The letters that texts in each Latin code page are made of. Only bytes that two pages read differently are counted.
LATIN = {
    "cp1252": set("éèêëàâäçñóöôòíîïúüùûáåæøßãõÉÈÊÀÂÄÇÑÓÖÔÍÎÚÜÁÅÆØÃÕœŒ€£°§«»“”‘’„–—…•™©®·ºª¿¡½¼´\xa0"),
    "cp1250": set("ąćęłńóśźżáčďéěíňřšťúůýžäöüßőűăâîşţđô„”“’‘–—…°§«»€\xa0"),
    "cp1254": set("ğışöüçâîûİ“”‘’–—…€°«»\xa0"),
    "cp1257": set("ąčęėįšųūžāēģīķļņõäöü„“”‘’–—…€\xa0"),
}
NOT_LATIN = re.compile(
    r"cp1251|cp1253|cp1255|cp1256|cp866|cp855|cp864|cp720|cp874|koi8|iso8859_[567]$|iso8859_8|iso8859_11|tis_620|mac_cyr|"
    r"mac_greek|big5|gb|hz|euc|shift|johab|cp93|cp94|cp95|iso2022|utf|ptcp|kz"
)
COMMON = set("اليىمنروتهدبسكک")
ARABIC = re.compile("[\u0621-\u064a\u067e\u0686\u0698\u06a9\u06af]{2,}")


@dataclass
class Decoded:
    """`source` is UTF-8, with or without a mark."""

    source: Source
    encoding: str
    problems: list[Problem] = field(default_factory=list)


def decode(source: Source, encoding: str = "") -> Decoded:
    """The text of `source` as UTF-8. `encoding`: what the person chose; empty: detected. Raises DataError naming the line
    where the bytes are not in the chosen encoding."""
    if encoding:
        return _decode_chosen(source, encoding)
    head = source.head(4)
    for mark, name in BOMS:
        if head.startswith(mark):
            if name == "utf-8-sig":
                return _decode_utf8(source, name)
            return _transcode_wide(source, name)
    if wide := _utf16_without_mark(source.head(4096)):
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
    """UTF-8 with a few damaged bytes: replaced by U+FFFD, and told by line."""
    return _with_replacements(source, source.read().decode("utf-8", errors="replace"), name)


def _transcode_wide(source: Source, name: str) -> Decoded:
    """UTF-16 or UTF-32; halves of characters are replaced by U+FFFD, and told by line."""
    try:
        return _transcode(source, name)
    except ValueError:
        return _with_replacements(source, source.read().decode(name, errors="replace").removeprefix("\ufeff"), name)


def _with_replacements(source: Source, text: str, name: str) -> Decoded:
    lines = [number for number, line in enumerate(text.split("\n"), 1) if "\ufffd" in line]
    problem = Problem(
        code="damaged-bytes", severity="warning", count=len(lines),
        message=f"The file is {shown(name)}, but some bytes are not: line {_list(lines)}. They are shown as \ufffd.",
        hint="Correct these lines, or choose another encoding.",
    )  # fmt: skip
    return Decoded(Source(source.name, data=text.encode()), name, [problem])


def _decode_chosen(source: Source, encoding: str) -> Decoded:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise DataError(f"There is no encoding named {encoding!r}.", "Try utf-8, windows-1252 or windows-1256.") from None
    if name in ("utf-8", "utf-8-sig"):
        if is_utf8(source):
            return Decoded(source, name)
        if _damage(source.read()) < FEW:
            return _repair_utf8(source, name)
        raise _undecodable(source, encoding, "utf-8")
    try:
        return _transcode(source, encoding)
    except (ValueError, LookupError):
        raise _undecodable(source, encoding, name) from None


def _undecodable(source: Source, encoding: str, name: str) -> DataError:
    try:
        source.read().decode(name)
    except UnicodeDecodeError as error:
        line = source.read()[: error.start].count(b"\n") + 1
        return DataError(
            f"The file is not in {encoding}: line {line} has the byte 0x{error.object[error.start]:02x}.",
            "Leave the encoding empty to have it detected, or choose another.",
        )
    except (ValueError, LookupError):
        pass
    return DataError(f"The file cannot be read as {encoding}.", "Leave the encoding empty to have it detected.")


def _transcode(source: Source, encoding: str) -> Decoded:
    """Raises UnicodeDecodeError (a ValueError) where the bytes are not in `encoding`."""
    text = source.read().decode(encoding)
    if not isinstance(text, str):
        raise ValueError(encoding)
    data = text.removeprefix("\ufeff").encode("utf-8", errors="replace")
    return Decoded(Source(source.name, data=data), shown(encoding))


def shown(encoding: str) -> str:
    """The name people know an encoding by."""
    return SHOWN.get(encoding, encoding.replace("_", "-") if encoding.startswith(("iso", "utf", "mac")) else encoding)


def _utf16_without_mark(head: bytes) -> str:
    """UTF-16 of mostly Latin text has a zero in every second byte."""
    head = head[: len(head) // 2 * 2]
    if len(head) < 8:
        return ""
    pairs = len(head) // 2
    even, odd = head[::2].count(0) / pairs, head[1::2].count(0) / pairs
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    return ""


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
    name = _guess(b"\n".join(lines))
    for candidate in dict.fromkeys((name, "cp1252", "latin-1")):
        try:
            decoded = _transcode(source, candidate)
        except ValueError:
            continue
        if candidate == "cp1252" and not re.search(rb"[\x80-\x9f]", data):
            decoded.encoding = "latin-1"  # the two differ in these bytes only
        decoded.problems.append(
            Problem(
                code="encoding-detected", severity="info",
                message=f"The file is not UTF-8; it was read as {decoded.encoding}, which was guessed from its letters.",
                hint="If letters look wrong in the preview, choose another encoding.",
            )  # fmt: skip
        )
        return decoded
    raise AssertionError("latin-1 decodes every byte")


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    if _is_arabic(_decodes(sample, "cp1256")):
        return "cp1256"
    high = sample.translate(None, bytes(range(128)))
    words = b"".join(re.findall(rb"[\xe0-\xfa]{2,}", sample))
    if len(high) > 40 and not re.search(rb"[\xfb-\xff]", sample) and len(words) > 0.97 * len(high):
        return "cp1255"  # Hebrew has no capitals and nothing above 0xfa; Cyrillic texts have both
    best = from_bytes(sample).best()
    if best is not None and NOT_LATIN.match(best.encoding):
        return best.encoding
    better = [name for name in LATIN if name != "cp1252" and _advantage(sample, name) > 0.1]
    return max(better, key=lambda name: _common(_decodes(sample, name), name), default="cp1252")


def _is_arabic(text: str) -> bool:
    """Words of Arabic letters, and as many of the common ones among them as Arabic and Persian texts have."""
    letters = "".join(ARABIC.findall(text))
    beyond_ascii = sum(not character.isascii() for character in text)
    return len(letters) > 0.7 * beyond_ascii > 0 and sum(letter in COMMON for letter in letters) > 0.6 * len(letters)


def _decodes(sample: bytes, name: str) -> str:
    try:
        return sample.decode(name)
    except UnicodeDecodeError:
        return ""


def _advantage(sample: bytes, name: str) -> float:
    """How much better (-1 to 1) the bytes read in this code page than in windows-1252, by the common letters gained."""
    usual, other = sample.decode("cp1252", errors="replace"), _decodes(sample, name)
    differing = [(left, right) for left, right in zip(usual, other, strict=False) if left != right]
    if not differing:
        return 0.0
    gained = sum(right in LATIN[name] for _, right in differing) - sum(left in LATIN["cp1252"] for left, _ in differing)
    return gained / sum(not character.isascii() for character in usual)


def _common(text: str, name: str) -> float:
    beyond_ascii = [character for character in text if not character.isascii()]
    return sum(character in LATIN[name] for character in beyond_ascii) / max(1, len(beyond_ascii))


def _list(numbers: list[int]) -> str:
    shown_numbers = ", ".join(str(number) for number in numbers[:5])
    return shown_numbers + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")


