"""Decides when two labels are the same to a person, and when one cell holds several.

normal_label("YES. ") == normal_label("yes")           True: case, spaces, marks, digits and letter forms aside
near_groups({"0": 12, "0.0": 9, "false": 3})           [("0", ["0.0", "false"])]: the commonest spelling and the others
combinations(["Staff", "Price", "Staff, Price"])       {"Staff, Price": ["Staff", "Price"]}
"""

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

# What Arabic keyboards produce for Persian letters, and the forms of alef, heh and hamza that people mix up.
_LETTERS = str.maketrans(
    {
        "ي": "ی",
        "ى": "ی",
        "ې": "ی",
        "ك": "ک",
        "ڪ": "ک",
        "ة": "ه",
        "ۀ": "ه",
        "ە": "ه",
        "ہ": "ه",
        "أ": "ا",
        "إ": "ا",
        "ٱ": "ا",
        "آ": "ا",
        "ؤ": "و",
        "ئ": "ی",
        "ı": "i",
        "\u2212": "-",
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u2014": "-",
        "٫": ".",
        "٬": ",",
        "،": ",",
        "؛": ";",
    }
)
# Characters that are invisible or do not change a label: direction marks, joiners, tatweel, Arabic vowel signs, the dot
# that lower-cased İ leaves, and the selectors after emoji.
_UNSEEN = re.compile(
    "[\u00ad\u0307\u034f\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
_QUOTES = " \t\"'`\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a"
_NUMBER = re.compile(r"([+-]?)(\d{1,30})(?:[.,](\d{1,30}))?")
_TRUTH = {"false": "0", "true": "1"}
# Separators that people and tools put between labels. A # or + separates words (doccano's "price#staff"), but is part
# of C#, A+ and C++.
_SEPARATORS = re.compile(r"\s*[,;|،؛，；、\n\r\t/&]\s*|(?<=\w)[#+](?=\w)|\s+[#+](?=\w)|\s+[#+]\s+")
# Numbers between these may not be labels: 1/2, 24/7.
_SOFT = re.compile(r"[/&#+]")


def normal_label(label: str) -> str:
    """One normalized text for all spellings of a label. Empty for one made only of punctuation, which equals no other.

    A trailing minus or plus is part of the label (the grades A-, A and A+ are three), and so are characters such as
    those of C# and C++. Of numbers, only whole ones have several spellings (1, 1.0, +1): 1.1 and 1.10 may be two
    versions, 007 and 7 two codes.
    """
    text = unicodedata.normalize("NFKC", html.unescape(label)).casefold().translate(_LETTERS)
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    # Digits of other scripts: NFKC knows the full-width ones only.
    text = "".join(
        str(unicodedata.digit(letter)) if letter.isdecimal() and not letter.isascii() else letter for letter in text
    )
    text = text.strip(_QUOTES).rstrip(".,;:! ").strip(_QUOTES)
    if number := _NUMBER.fullmatch(text):
        return _number(*number.groups(default=""))
    text = _TRUTH.get(text, text)
    # A space, an underscore, a hyphen or a dot inside a name is a matter of taste; between two digits it parts two
    # numbers.
    return re.sub(r"(?<=\w)[\s_.-]+(?=\w)", lambda found: " " if _between_digits(found) else "", text)


def _number(sign: str, whole: str, part: str) -> str:
    if len(part) == 3 and whole != "0" and len(whole) < 4:
        return sign.strip("+") + whole + "." + part  # 1,000 or 1.000: a thousand or one, unclear
    sign = sign.strip("+")
    if part.strip("0"):
        return f"{sign}{whole}.{part}"  # as it stands: 1.1 and 1.10 may be versions
    return "0" if not whole.strip("0") and len(whole) == 1 else sign + whole  # 007 and 7 may be codes


def _between_digits(found: re.Match) -> bool:
    return found.string[found.start() - 1].isdigit() and found.string[found.end()].isdigit()


def near_groups(counts: dict[str, int]) -> list[tuple[str, list[str]]]:
    """Labels that are the same to a person: (commonest spelling, the others). The same labels in another order count as
    one."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts, key=lambda label: -counts[label]):
        groups[_key(label)].append(label)
    return [(group[0], group[1:]) for normal, group in groups.items() if len(group) > 1 and normal]


def nearest(label: str, known: Iterable[str]) -> str:
    """The one of `known` that `label` is another spelling of; "" if there is none."""
    wanted = _key(label)
    return next((other for other in known if wanted and other != label and _key(other) == wanted), "")


def _key(label: str) -> str:
    whole = normal_label(label)
    parts = parts_of(label)
    if (
        len(parts) < 2
        or _NUMBER.fullmatch(whole)
        or _SOFT.search(label)
        and all(_NUMBER.fullmatch(part) for part in parts)
    ):
        return whole
    normal = list(filter(None, map(normal_label, parts)))
    # In class marks (0,0,1), repeated numbers and pairs with a slash (en/fa), the order has a meaning.
    return "\0".join(
        normal
        if "/" in label
        or set(normal) <= {"0", "1"}
        or len(set(normal)) < len(normal)
        and all(map(_NUMBER.fullmatch, normal))
        else sorted(normal)
    )


def parts_of(label: str) -> list[str]:
    """The parts between commas, semicolons, slashes and the like; the label itself if there are none. In "#price
    #staff", each part loses its #."""
    text = html.unescape(label).strip()
    parts = _SEPARATORS.split(text.lstrip("#") if " #" in text else text)
    return [part for part in parts if part] or [label]


def one_line(label: str) -> str:
    """A label over several lines, joined into one line."""
    return " ".join(label.split()) if len(label.splitlines()) > 1 else label


def combinations(labels: Iterable[str]) -> dict[str, list[str]]:
    """Labels made of others: every part also occurs alone, or in another combination. An option that merely contains a
    comma ("Arts, culture") is not one."""
    labels = list(labels)
    split = {
        label: parts
        for label in labels
        if len(parts := parts_of(label)) > 1 and not _NUMBER.fullmatch(normal_label(label))
    }
    split = {
        label: parts
        for label, parts in split.items()
        if not (_SOFT.search(label) and all(map(_NUMBER.fullmatch, parts)))
    }
    alone = {normal_label(one) for label in labels if label not in split for one in (label, label.lstrip("#"))}
    seen = Counter(part for parts in split.values() for part in set(map(normal_label, parts)))
    return {
        label: parts
        for label, parts in split.items()
        if all(normal in alone or seen[normal] > 1 for part in parts if (normal := normal_label(part)))
    }
