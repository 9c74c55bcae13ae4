"""Checks characters: damaged letters, and the variants found in Persian text (counted, never changed).

check_characters(frame, ["text"])
mend_letters("cafÃ©")                       "café": what a wrong encoding did, undone where that is possible
mask_secrets, mask_series                   see check_secrets
"""

import re

import polars

from lora_hub.core.messages import _, _n, several
from lora_hub.data.checks.check_secrets import any_of, mask_secrets, mask_series
from lora_hub.data.checks.rows import Check
from lora_hub.data.tables.findings import Finding, finding

__all__ = ["check_characters", "mask_secrets", "mask_series", "mend_letters"]

# UTF-8 of Arabic script decoded as windows-1256, which ftfy does not know: characters of that code page that never
# follow those letters in real text.
_MARKS = "\u00a0-\u00bf‚ƒ„…†‡ˆ‰‹Œ‘’“”•–—™›œ€"
_AS_1256 = rf"(?:[طظعغ][{_MARKS}]){{2}}"
# A text without any of these is undamaged; the others are checked one by one.
SUSPECT = (
    rf"{_AS_1256}|"
    r"[\x{fffd}\x{80}-\x{9f}ÃÂŒœ]|[^\x00-\x7f\x{600}-\x{6ff}]"
    r"[\x{a0}-\x{2ff}\x{2010}-\x{25ff}\x{384}\x{385}\x{402}-\x{40f}\x{452}-\x{45f}\x{490}\x{491}]"
)
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
    """Damaged letters; also the character variants in Persian texts, which are only counted."""
    # ASCII text, most of an English file, has neither.
    frame = frame.filter(
        polars.any_horizontal([polars.col(r).str.len_bytes() != polars.col(r).str.len_chars() for r in roles])
    )
    if not frame.height:
        return []
    return [found for check in (_damaged, _persian) if (found := check(frame, roles))]


def _damaged(frame: polars.DataFrame, roles: list[str]) -> Finding | None:
    suspected = frame.filter(any_of(roles, SUSPECT))
    damaged = [any(map(_is_damaged, texts)) for texts in suspected.select(roles).iter_rows()]
    hits = suspected["row"].filter(polars.Series(damaged, dtype=polars.Boolean))
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
        kinds.pop("arabic-letters")  # Arabic text, in which these letters are normal
    told = [(name, marked.filter(any_of(roles, pattern))["row"]) for name, pattern in kinds.values()]
    told = [(name, hits) for name, hits in told if hits.len()]
    if not told:
        return None
    shown = [
        _n("{name} in {count:,} row", "{name} in {count:,} rows", name=name, count=hits.len()) for name, hits in told
    ]
    rows = polars.concat([hits for name, hits in told]).unique().sort()
    return finding("persian-characters", "info", _("Left as they are: {kinds}.", kinds=several(shown)), rows=rows)


def _is_damaged(text: str) -> bool:
    from ftfy.badness import is_bad

    return "\ufffd" in text or bool(re.search(_AS_1256, text)) or is_bad(text)


_BYTES_1256 = {bytes([byte]).decode("cp1256"): byte for byte in range(128, 256)}
_RUN_1256 = re.compile(f"[{re.escape(''.join(_BYTES_1256))}]+")


def mend_letters(text: str) -> str:
    """The text with UTF-8 that was read in another encoding restored. Anything else, including an undamaged text, is
    unchanged."""
    from ftfy import fix_encoding

    for _round in range(3):  # a text may have been decoded wrongly more than once
        mended = _RUN_1256.sub(_from_1256, text) if re.search(_AS_1256, text) else text
        if mended == text:
            mended = fix_encoding(text)
        if mended == text:
            break
        text = mended
    return text


def _from_1256(run: re.Match) -> str:
    """Repairs only what becomes letters of Arabic script: real Persian words can also be valid UTF-8 by chance."""
    try:
        decoded = bytes(_BYTES_1256[letter] for letter in run.group()).decode("utf-8")
    except UnicodeDecodeError:
        return run.group()  # these letters are intended
    sure = re.search(f"[طظعغâ][{_MARKS}]", run.group()) and re.fullmatch(
        "[\u0600-\u06ff\u2000-\u206f\u00a0-\u00bb]+", decoded
    )
    return decoded if sure else run.group()


CHECKS = (Check(130, "texts", lambda rows: check_characters(rows.frame, rows.texts)),)
