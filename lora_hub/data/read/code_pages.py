"""Guesses which single- or multi-byte code page a non-Unicode text is in: `guess(sample)`.

charset-normalizer chooses among the scripts. Within a family (Latin, Cyrillic, Arabic) its guess is arbitrary (latin-1
as cp1250, KOI8-R as cp1251). There the decoded letters decide: the page whose letters match real texts wins.
"""

import re

# The letters of real texts in each Latin code page. Only bytes that two pages decode differently count.
WEST = set("éèêëàâäçñóöôòíîïúüùûáåæøßãõÉÈÊÀÂÄÇÑÓÖÔÍÎÚÜÁÅÆØÃÕœŒ€£°§«»“”‘’„–—…•™©®·ºª¿¡½¼´\xa0")
MIDDLE = set("ąćęłńóśźżáčďéěíňřšťúůýžäöüßőűăâîşţđô„”“’‘–—…°§«»€\xa0")
LATIN = {
    "cp1252": WEST,
    "cp1250": MIDDLE,
    "cp1254": set("ğışöüçâîûİ“”‘’–—…€°«»\xa0"),
    "cp1257": set("ąčęėįšųūžāēģīķļņõäöü„“”‘’–—…€\xa0"),
    "iso8859_2": MIDDLE,
    "iso8859_15": WEST | set("šžŠŽŸ"),
    "mac_roman": WEST,
    "cp850": WEST,
}
OLD = ("mac_roman", "cp850")  # old systems' code pages, which need more evidence
CYRILLIC = ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")
# Seven of ten letters in a Russian, Bulgarian or Ukrainian text; a page that swaps capitals and small letters yields
# few.
COMMON_CYRILLIC = set("оеаинтсрвлкд")
COMMON_ARABIC = set("اليىمنروتهدبسكک")
COMMON_THAI = set("านรอกเงมยลวดทสตะปบคห่้ัีิ")
COMMON_CHINESE = set("的一是不了在人有我他这个们来到时大地为子你说生国年着就那和要她出也得里后自以会")
ARABIC = re.compile("[\u0621-\u064a\u067e\u0686\u0698\u06a9\u06af]{2,}")
NOT_LATIN = re.compile(
    r"cp1251|cp1253|cp1255|cp1256|cp866|cp855|cp864|cp720|cp874|koi8|iso8859_[567]$|iso8859_8|iso8859_11|tis_620|mac_cyr|"
    r"big5|gb|hz|euc|shift|johab|cp93|cp94|cp95|iso2022|utf|ptcp|kz"
)
# Rare code pages that charset-normalizer prefers, and the common page for each.
PLAIN = {
    "euc_jis_2004": "euc_jp",
    "euc_jisx0213": "euc_jp",
    "shift_jis_2004": "cp932",
    "shift_jisx0213": "cp932",
    "shift_jis": "cp932",
}


def guess(sample: bytes) -> str:
    """Python's name of the most probable codec of `sample` (lines with bytes beyond ASCII, not UTF-8)."""
    from charset_normalizer import from_bytes

    arabic = max(("cp1256", "iso8859_6"), key=lambda name: _share(ARABIC, decodes(sample, name)))
    if _is_arabic(decodes(sample, arabic)):
        return arabic
    high = sample.translate(None, bytes(range(128)))
    words = b"".join(re.findall(rb"[\xe0-\xfa]{2,}", sample))
    if len(high) > 40 and not re.search(rb"[\xfb-\xff]", sample) and len(words) > 0.97 * len(high):
        return "cp1255"  # Hebrew has no capitals and nothing above 0xfa; Cyrillic texts have both
    cyrillic = max(
        CYRILLIC, key=lambda name: _common_share(decodes(sample, name), COMMON_CYRILLIC, "[\u0400-\u045f]{3,}")
    )
    if _common_share(decodes(sample, cyrillic), COMMON_CYRILLIC, "[\u0400-\u045f]{3,}") > 0.5:
        return cyrillic
    if _common_share(decodes(sample, "cp874"), COMMON_THAI, "[\u0e01-\u0e5b]{4,}") > 0.6:
        return "cp874"
    best = from_bytes(sample).best()
    if best is not None and NOT_LATIN.match(best.encoding):
        plain = PLAIN.get(best.encoding, best.encoding)
        return plain if decodes(sample, plain) else best.encoding
    if _is_chinese(decodes(sample, "gb18030")):
        return "gb18030"
    better = [name for name in LATIN if name != "cp1252" and _advantage(sample, name) > (0.5 if name in OLD else 0.1)]
    found = max(
        better, key=lambda name: (_common(decodes(sample, name), name), _small(decodes(sample, name))), default="cp1252"
    )
    if found == "cp1250" and "iso8859_2" in better and not re.search(rb"[\x80-\x9f]", sample):
        return _middle(sample)
    return found


def decodes(sample: bytes, name: str) -> str:
    try:
        return sample.decode(name)
    except UnicodeDecodeError:
        return ""


def _small(text: str) -> int:
    return sum(character.islower() and not character.isascii() for character in text)


def _middle(sample: bytes) -> str:
    """Windows-1250 or ISO 8859-2, which differ in a few bytes: Polish uses one letter of such a byte, Czech the
    other."""
    text = decodes(sample, "iso8859_2")
    if _common(text, "iso8859_2") < _common(decodes(sample, "cp1250"), "cp1250"):
        return "cp1250"
    return (
        "cp1250"
        if sum(letter in "łęńż" for letter in text) > sum(letter in "ěřčůý" for letter in text)
        else "iso8859_2"
    )


def _share(pattern: re.Pattern, text: str) -> float:
    beyond_ascii = sum(not character.isascii() for character in text)
    return sum(map(len, pattern.findall(text))) / beyond_ascii if beyond_ascii else 0.0


def _is_arabic(text: str) -> bool:
    """Whether there are words of Arabic letters, with as many common letters as in Arabic and Persian texts."""
    letters = "".join(ARABIC.findall(text))
    return _share(ARABIC, text) > 0.7 and sum(letter in COMMON_ARABIC for letter in letters) > 0.6 * len(letters)


def _common_share(text: str, common: set[str], words: str) -> float:
    """Share of the characters beyond ASCII that are common letters of a script inside its words."""
    beyond_ascii = sum(not character.isascii() for character in text)
    if not beyond_ascii:
        return 0.0
    return sum(letter in common for word in re.findall(words, text) for letter in word) / beyond_ascii


def _is_chinese(text: str) -> bool:
    beyond_ascii = [character for character in text if not character.isascii()]
    ideographs = sum(
        "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef" for character in beyond_ascii
    )
    frequent = sum(character in COMMON_CHINESE for character in beyond_ascii)
    return ideographs > 0.85 * len(beyond_ascii) and frequent > 0.08 * len(beyond_ascii) > 0


def _advantage(sample: bytes, name: str) -> float:
    """How much better (-1 to 1) this code page decodes the bytes than windows-1252, by the common letters gained."""
    usual, other = sample.decode("cp1252", errors="replace"), decodes(sample, name)
    differing = [(left, right) for left, right in zip(usual, other, strict=False) if left != right]
    if not differing:
        return 0.0
    gained = sum(right in LATIN[name] for _, right in differing) - sum(left in LATIN["cp1252"] for left, _ in differing)
    return gained / sum(not character.isascii() for character in usual)


def _common(text: str, name: str) -> float:
    beyond_ascii = [character for character in text if not character.isascii()]
    return sum(character in LATIN[name] for character in beyond_ascii) / max(1, len(beyond_ascii))
