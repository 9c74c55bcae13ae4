"""Every column of a table is used, or reported as unused, or the table is refused. None is dropped silently."""

import csv
import json
from pathlib import Path

import pytest

from lora_hub.catalogue.tasks.catalogue import ORDER, get_task
from lora_hub.core.errors import DataError
from lora_hub.data.inspector import inspect_file

COUNT = 40
LABELS = ("good", "bad")
SHAPES: dict[str, list[dict]] = {
    "reviews": [
        {
            "review": f"the lamp of day {n} was late",
            "label": LABELS[n % 2],
            "stars": n % 5,
            "day": f"2024-05-{n % 28 + 1:02}",
            "shop": f"s{n % 3}",
        }
        for n in range(COUNT)
    ],
    "alpaca": [
        {
            "instruction": f"say {n}",
            "input": f"it {n}",
            "output": f"said {n} aloud",
            "system": "be kind",
            "source": "web",
        }
        for n in range(COUNT)
    ],
    "pairs": [{"en": f"the lamp {n}", "fa": f"چراغ {n}", "domain": "home", "quality": n / 10} for n in range(COUNT)],
    "questions": [
        {
            "id": n,
            "question": f"where is lamp {n}?",
            "context": f"lamp {n} is in the hall of the house",
            "answer": "the hall",
            "tags": ["a", "b"],
        }
        for n in range(COUNT)
    ],
    "nested": [
        {"text": f"the lamp {n} was late", "label": LABELS[n % 2], "meta": {"by": n}, "entities": [[0, 3, "X"]]}
        for n in range(COUNT)
    ],
    "chats": [
        {
            "messages": [{"role": "user", "content": f"hi {n}"}, {"role": "assistant", "content": "hello"}],
            "tools": [{"name": "find"}],
            "rating": n % 3,
        }
        for n in range(COUNT)
    ],
    "label studio": [
        {
            "text": f"the lamp {n}",
            "sentiment": LABELS[n % 2],
            "annotator": 1,
            "annotation_id": n,
            "lead_time": 2.5,
            "channel": "mail",
        }
        for n in range(COUNT)
    ],
    "prodigy": [
        {
            "text": f"the lamp {n}",
            "label": LABELS[n % 2],
            "answer": "accept",
            "_input_hash": n,
            "_task_hash": n,
            "meta": {"s": 1},
        }
        for n in range(COUNT)
    ],
    "sixty columns": [
        {"text": f"the lamp {n} was late", "label": LABELS[n % 2], **{f"x{k}": f"{k} {n}" for k in range(60)}}
        for n in range(COUNT)
    ],
}


def put(folder: Path, rows: list[dict], kind: str) -> Path:
    file = folder / f"rows.{kind}"
    if kind == "csv":
        with file.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.DictWriter(opened, list(rows[0]))
            writer.writeheader()
            writer.writerows(
                {key: json.dumps(value) if isinstance(value, (list, dict)) else value for key, value in row.items()}
                for row in rows
            )
    else:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_column_goes_without_a_word(tmp_path: Path, shape: str, kind: str) -> None:
    rows = SHAPES[shape]
    file = put(tmp_path, rows, kind)
    for task in ORDER:
        try:
            seen = inspect_file(file, get_task(task))
        except DataError as error:
            assert error.message and error.hint  # refused in words
            continue
        if any(problem.severity == "error" for problem in seen.problems):
            continue  # not to be trained on, and told why
        told = " ".join(f"{problem.message} {problem.hint}" for problem in seen.problems)
        known = {*seen.mapping.values(), *seen.to_json()["unused"]}
        prompts = " ".join(row["prompt"] for row in seen.preview)
        if task == "chat" and "tools" in rows[0]:  # is a part of the conversation, which the base's template writes
            assert '"find"' in seen.table.texts(seen.mapping["messages"])[0]
            known.add("tools")
        silent = [
            name
            for name in rows[0]
            if name not in known and name not in told and str(rows[0][name])[:20] not in prompts
        ]
        assert silent == [], (task, seen.mapping)
