"""Texts as they are compared: what is no difference between an answer and a reference."""

import string
import unicodedata

# Arabic letters and digits that keyboards write for the Persian ones, the joiner that some leave out, and marks.
_PERSIAN = str.maketrans(
    {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "أ": "ا", "إ": "ا", "ؤ": "و"}
    | {chr(0x0660 + digit): str(digit) for digit in range(10)}
    | {chr(0x06F0 + digit): str(digit) for digit in range(10)}
    | dict.fromkeys("\u200c\u200d\u200e\u200fـ\ufeff", "")
    | {chr(code): "" for code in range(0x064B, 0x0656)}
)
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "،؛؟«»٪“”‘’…–—", ""))


def normalize_label(text: str) -> str:
    """A label as it is compared: NFC, Persian letters and digits, no joiners, one space between words, caseless."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_PERSIAN).casefold().split())


def normalize_answer(text: str) -> str:
    """An answer as exact match compares it: SQuAD's rule (lower case, no punctuation, no a, an, the, single spaces;
    Rajpurkar et al. 2016) after the Persian normalization."""
    plain = normalize_label(text).translate(_PUNCTUATION)
    return " ".join(word for word in plain.split() if word not in ("a", "an", "the"))


def split_words(text: str) -> list[str]:
    """Words of any script for ROUGE, normalized: runs of letters, marks and digits; each wide character (Chinese)
    a word of its own. (rouge-score's own tokenizer keeps a-z and 0-9 and drops the rest.)"""
    pieces = []
    for character in normalize_label(text):
        if unicodedata.category(character)[0] not in "LMN":
            pieces.append(" ")
        elif unicodedata.east_asian_width(character) in "WF":
            pieces.append(f" {character} ")
        else:
            pieces.append(character)
    return "".join(pieces).split()
