"""Composes the samples from their hand-written parts; the same files each time.

python -m lora_hub.catalogue.tasks.samples.making.make_samples           writes them anew beside this module
python -m lora_hub.catalogue.tasks.samples.making.make_samples --show    prints five rows of each
"""

import csv
import io
import json
import random
import sys
from pathlib import Path

from lora_hub.catalogue.tasks.samples.making import question_answering, sentiment_fa, spam, topic, translation_en_fa

FOLDER = Path(__file__).parents[1]
SEED = 2026
MAKERS = {
    "spam.csv": spam.make_rows,
    "sentiment-fa.csv": sentiment_fa.make_rows,
    "topic.csv": topic.make_rows,
    "translation-en-fa.csv": translation_en_fa.make_rows,
    "question-answering.jsonl": question_answering.make_rows,
}


def make_rows(name: str) -> list[dict[str, str]]:
    """The rows of one sample, shuffled. Each sample has its own random generator: changing one leaves the others
    unchanged."""
    dice = random.Random(f"{SEED} {name}")
    rows = MAKERS[name](dice)
    dice.shuffle(rows)
    return rows


def make_text(name: str) -> str:
    """The file's text: CSV with a header, or one JSON object a line."""
    rows = make_rows(name)
    if name.endswith(".jsonl"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: list[str]) -> None:
    for name in MAKERS:
        if "--show" in arguments:
            print(name, *(json.dumps(row, ensure_ascii=False) for row in make_rows(name)[:5]), sep="\n  ")
            continue
        (FOLDER / name).write_text(make_text(name), encoding="utf-8")
        print(f"{name}: {len(make_rows(name))} rows")


if __name__ == "__main__":
    main(sys.argv[1:])
