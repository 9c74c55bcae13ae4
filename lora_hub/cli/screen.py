"""How sentences and tables are printed for a person at the shell, in their language."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lora_hub.core.languages import in_digits
from lora_hub.core.messages import Message, _, joined

Said = Message | str
# Unicode's isolates around a name in another script. A terminal may show them as boxes, and a copied path or command
# must not contain them.
_ISOLATES = re.compile("[\u2066-\u2069]")
# Characters that a terminal obeys instead of showing, and those that reorder text; a file's cells may contain both.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
_LABELS = {"error": _("error: {said}"), "warning": _("warning: {said}"), "info": _("info: {said}")}


@dataclass(frozen=True)
class Table:
    """Columns as wide as their widest cell. A cell is a sentence, a text or a number."""

    header: Sequence[Said]
    rows: Sequence[Sequence[Said | int]]


@dataclass(frozen=True)
class Indented:
    """Text that belongs to the line above."""

    said: Said


Part = Said | Table | Indented


class Screen:
    """What a person reads in the shell, in their language."""

    def __init__(self, language: str = "en") -> None:
        self.language = language

    def tell(self, part: Said | int | Table | Indented) -> str:
        """A sentence or a table as it is printed. A plain text stays as it is."""
        if isinstance(part, Table):
            return self._tell_table(part)
        if isinstance(part, Indented):
            return f"    {self.tell(part.said)}"
        if isinstance(part, Message):
            return shown(_ISOLATES.sub("", part.in_language(self.language)))
        return in_digits(str(part), self.language) if isinstance(part, int) else shown(part)

    def tell_all(self, parts: Iterable[Part]) -> str:
        """The parts, one below the other."""
        return "\n".join(map(self.tell, parts))

    def say(self, said: Said) -> None:
        """Prints a line on standard error; standard output is for results."""
        print(self.tell(said), file=sys.stderr, flush=True)

    def say_error(self, message: Said, hint: Said = "") -> None:
        self.say(labelled("error", message, hint))

    def _tell_table(self, table: Table) -> str:
        cells = [[self.tell(cell) for cell in row] for row in (table.header, *table.rows)]
        widths = [max(_width(row[column]) for row in cells) for column in range(len(table.header))]
        return "\n".join(
            "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )


def shown(text: str) -> str:
    """A text with its control characters as they are written in code: \\x1b. Line breaks and tabs stay."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def labelled(severity: str, message: Said, hint: Said = "") -> Message:
    """An error or a finding about data, in one line. severity: "error", "warning" or "info"."""
    return _LABELS[severity].filled({"said": joined(message, hint)})


def _width(text: str) -> int:
    """The columns that a text takes in a terminal: combining and joining marks take none, wide letters two."""
    return sum(
        0
        if unicodedata.category(letter) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )
