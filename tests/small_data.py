"""Small datasets made by the tests: very easy to learn, so that a run of seconds shows a difference."""

import csv
import random
from pathlib import Path

from lora_hub.core.schema import Answer, HeldOutRow

GOOD = ["wonderful", "lovely", "great", "delicious", "charming", "pleasant"]
BAD = ["awful", "dirty", "broken", "boring", "rude", "terrible"]
THINGS = ["film", "hotel", "soup", "phone", "book", "trip", "room", "waiter"]


def sentiment_rows(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label) pairs, balanced, no text twice."""
    pick = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        label = "good" if len(found) % 2 else "bad"
        word = pick.choice(GOOD if label == "good" else BAD)
        found.setdefault(f"The {pick.choice(THINGS)} number {pick.randrange(1000)} was {word}.", label)
    return list(found.items())


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def held_out_row(
    row: int, inputs: dict, reference: str | tuple[str, ...], probabilities: dict | None = None, **said: str
) -> HeldOutRow:
    """A held-out row, not judged. probabilities, said: by who answered."""
    answers = {who: Answer(text=text, probabilities=(probabilities or {}).get(who, {})) for who, text in said.items()}
    return HeldOutRow(row=row, inputs=inputs, prompt=f"Text: {inputs['text']}", reference=reference, answers=answers)
