"""Pre-flight of the letters: damaged ones, and the characters that Persian text comes with (counted, never changed).

check_characters(frame, ["text"])
mend_letters("cafÃ©")                       "café": what a wrong encoding did, undone where that is possible
mask_secrets, mask_series                   see check_secrets
"""

import re

import polars

from lora_hub.core.messages import _, _n, several
from lora_hub.data.checks.check_secrets import any_of, mask_secrets, mask_series
from lora_hub.data.tables.findings import Finding, finding

__all__ = ["MOJIBAKE", "check_characters", "mask_secrets", "mask_series", "mend_letters"]

# The second bytes of UTF-8 as windows-1252 and windows-1256 show them: marks that never follow those letters in real
# text.
_TAIL = "\u0080-\u009f\u00a0-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€"
_MARKS = "\u00a0-\u00bf‚ƒ„…†‡ˆ‰‹Œ‘’“”•–—™›œ€"  # those of them that windows-1256 has and that are no letters
_AS_1252 = (
    rf"Ã[{_TAIL}]|â[€\u0080][{_TAIL}]|Â[\u0080-\u009f\u00a0-\u00bf]|(?:[ØÙÚÛ][{_TAIL}]){{2}}|(?:[ÐÑ][{_TAIL}]){{2}}"
    rf"|[ãäåæç][{_TAIL}]{{2}}|ï¿½"
)
_AS_1256 = rf"(?:[طظعغ][{_MARKS}]){{2}}"
MOJIBAKE = rf"{_AS_1252}|{_AS_1256}|\x{{fffd}}"
KINDS = {
    "arabic-letters": (_("Arabic yeh or kaf"), "[\u064a\u0643\u0649]"),
    "zwnj": (_("zero-width non-joiner"), "\u200c"),
    "directions": (_("directional marks"), "[\u200e\u200f\u202a-\u202e\u2066-\u2069]"),
    "tatweel": (_("tatweel"), "\u0640"),
    "digits": (_("Persian or Arabic digits"), "[\u06f0-\u06f9\u0660-\u0669]"),
}
SPECIAL = "[\u064a\u0643\u0649\u200c\u200e\u200f\u202a-\u202e\u2066-\u2069\u0640\u06f0-\u06f9\u0660-\u0669]"
PERSIAN = "[\u06cc\u06a9\u067e\u0686\u0698\u06af]"


def check_characters(frame: polars.DataFrame, roles: list[str]) -> list[Finding]:
    """Damaged letters; and, counted only, the characters in which Persian texts differ from one another."""
    # Plain ASCII, most of an English file, has neither.
    frame = frame.filter(
        polars.any_horizontal([polars.col(r).str.len_bytes() != polars.col(r).str.len_chars() for r in roles])
    )
    if not frame.height:
        return []
    return [found for check in (_damaged, _persian) if (found := check(frame, roles))]


def _damaged(frame: polars.DataFrame, roles: list[str]) -> Finding | None:
    hits = frame.filter(any_of(roles, MOJIBAKE))["row"]
    if not hits.len():
        return None
    said = _n(
        "{count:,} row has letters that were damaged by a wrong encoding (such as Ã©).",
        "{count:,} rows have letters that were damaged by a wrong encoding (such as Ã©).",
        count=hits.len(),
    )
    return finding(
        "damaged-letters", "warning", said, hint=_("Choose another encoding, or export the file as UTF-8."), rows=hits
    )


def _persian(frame: polars.DataFrame, roles: list[str]) -> Finding | None:
    marked = frame.filter(any_of(roles, SPECIAL))
    if not marked.height:
        return None
    kinds = dict(KINDS)
    if not marked.select(any_of(roles, PERSIAN).any()).item():
        kinds.pop("arabic-letters")  # Arabic text, where they are the usual letters
    told = [(name, marked.filter(any_of(roles, pattern))["row"]) for name, pattern in kinds.values()]
    told = [(name, hits) for name, hits in told if hits.len()]
    if not told:
        return None
    shown = [
        _n("{name} in {count:,} row", "{name} in {count:,} rows", name=name, count=hits.len()) for name, hits in told
    ]
    rows = polars.concat([hits for name, hits in told]).unique().sort()
    return finding("persian-characters", "info", _("Left as they are: {kinds}.", kinds=several(shown)), rows=rows)


_BYTES_1252 = {bytes([byte]).decode("cp1252", "ignore") or chr(byte): byte for byte in range(128, 256)}
_BYTES_1252 |= {chr(byte): byte for byte in range(128, 160)}
_BYTES_1256 = {bytes([byte]).decode("cp1256"): byte for byte in range(128, 256)}


def mend_letters(text: str) -> str:
    """UTF-8 that was read as windows-1252, latin-1 or windows-1256, as it was meant: runs of letters whose bytes are
    valid UTF-8. Everything else stays as it is, so a text that is not damaged does."""
    for _round in range(3):  # texts go through the wrong door more than once
        mended = _RUN_1256.sub(_from_1256, text) if re.search(_AS_1256, text) else text
        if mended == text and re.search(_AS_1252, text):
            mended = _RUN_1252.sub(_from_1252, text)
        if mended == text:
            break
        text = mended
    return text


_RUN_1252 = re.compile(f"[{re.escape(''.join(_BYTES_1252))}]+")
_RUN_1256 = re.compile(f"[{re.escape(''.join(_BYTES_1256))}]+")


def _from_1252(run: re.Match) -> str:
    return _decoded(bytes(_BYTES_1252[letter] for letter in run.group())) or run.group()


def _from_1256(run: re.Match) -> str:
    """Only what are letters of Arabic script afterwards: real Persian words can be valid UTF-8 by chance, too."""
    decoded = _decoded(bytes(_BYTES_1256[letter] for letter in run.group()))
    sure = re.search(f"[طظعغâ][{_MARKS}]", run.group()) and re.fullmatch(
        "[\u0600-\u06ff\u2000-\u206f\u00a0-\u00bb]+", decoded
    )
    return decoded if sure else run.group()


def _decoded(raw: bytes) -> str:
    """What was meant; "" for bytes that are no UTF-8: those letters are meant."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
