"""Owns the project's own word lists in `words/`: reading them into pairs of English and Persian.

A line is `kind: English=Persian, ...`; a line that begins with # is a remark. All of it was written by hand for this
project. `python -m lora_hub.built_in.making.word_lists` prints how many words each list holds.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "words"


@dataclass(frozen=True)
class Pair:
    """The same thing in both languages; `kind` is the list it stands in."""

    english: str
    persian: str
    kind: str


@dataclass(frozen=True)
class Verb:
    """A verb and what it takes; Persian verbs are conjugated from two stems and an unchanging first part."""

    english: str
    past: str
    preposition: str
    first: str
    past_stem: str
    present_stem: str
    persian_preposition: str
    takes: tuple[str, ...]


def read_lines(name: str) -> list[str]:
    """The lines of a list, without remarks and empty lines."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def read_pairs(name: str) -> dict[str, list[Pair]]:
    """Pairs by kind."""
    pairs: dict[str, list[Pair]] = {}
    for line in read_lines(name):
        kind, _, words = line.partition(": ")
        for word in words.split(", "):
            english, _, persian = word.partition("=")
            pairs.setdefault(kind, []).append(Pair(english.strip(), persian.strip(), kind))
    return pairs


def read_verbs() -> list[Verb]:
    """The verbs with their stems."""
    verbs = []
    for line in read_lines("verbs.txt"):
        forms, preposition, first, past_stem, present_stem, persian_preposition, takes = (
            part.strip() for part in line.split("|")
        )
        english, past = forms.split(", ")
        mark = "" if persian_preposition == "٠" else persian_preposition
        verbs.append(Verb(english, past, preposition, first, past_stem, present_stem, mark, tuple(takes.split())))
    return verbs


def read_phrases() -> list[Pair]:
    """Whole sentences in both languages."""
    return [Pair(*line.split("=", 1), "phrase") for line in read_lines("phrases.txt")]


def read_words(name: str) -> dict[str, list[str]]:
    """Words of one language by kind."""
    return {
        kind: [word.strip() for word in words.split(",") if word.strip()]
        for kind, _, words in (line.partition(": ") for line in read_lines(name))
    }


def main() -> None:
    for path in sorted(FOLDER.glob("*.txt")):
        print(path.name, sum(line.count(",") + 1 for line in read_lines(path.name)))


if __name__ == "__main__":
    main()
