"""Tables as CSV that no spreadsheet takes for formulas.

to_csv(["step", "loss"], [[1, 3.2], [2, None]])
answers_csv(rows)                                   a line for each row, with everybody's answer
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

# A cell that begins with one of these is a formula to Excel, LibreOffice and Google Sheets (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(text: str) -> str:
    """The text, as a text to a spreadsheet: with an apostrophe before what would be a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def to_csv(titles: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Texts are made safe, numbers stand as they are, None is an empty cell."""
    made = io.StringIO(newline="")
    out = csv.writer(made)
    out.writerow([safe_cell(title) for title in titles])
    for line in lines:
        out.writerow(["" if cell is None else safe_cell(cell) if isinstance(cell, str) else cell for cell in line])
    return made.getvalue()


def answers_csv(rows: Sequence[Any]) -> str:
    """A line for each row: its number, inputs, other columns and reference, then everybody's answer, how sure it was
    and what the answer is worth (0 to 100). rows: with the fields of `HeldOutRow`, and `columns` where they have
    some."""
    panes = list(rows[0].answers) if rows else []
    roles = list(dict.fromkeys(role for row in rows for role in row.inputs))
    others = list(dict.fromkeys(name for row in rows for name in _columns(row)))
    titles = ["row", *roles, *others, "reference"]
    titles += [title for pane in panes for title in (pane, f"{pane}: confidence", f"{pane}: score")]
    return to_csv(titles, (_line(row, roles, others, panes) for row in rows))


def _line(row: Any, roles: Sequence[str], others: Sequence[str], panes: Sequence[str]) -> list[Any]:
    line: list[Any] = [row.row, *(_text(row.inputs.get(role, "")) for role in roles)]
    line += [*(_columns(row).get(name, "") for name in others), _text(row.reference)]
    for pane in panes:
        answer, judgement = row.answers.get(pane), row.judgements.get(pane)
        line += [
            answer.text if answer else None,
            round(answer.confidence, 4) if answer and answer.probabilities else None,
            round(judgement.score, 2) if judgement else None,
        ]
    return line


def _columns(row: Any) -> dict[str, str]:
    return getattr(row, "columns", {})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return " | ".join(value)
    import orjson

    return orjson.dumps(value).decode()
