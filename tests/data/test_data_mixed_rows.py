"""Summaries that are longer than their texts, and rows in two languages for one task."""

import json
from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.data.inspector import inspect_file

LONG = (
    "The man came to the town of number {} and they had no lamps there, so that all of them went to sleep early "
    "and rose with the sun. "
)
PERSIAN = "این کتاب شماره {} را خواندم و از آن بسیار خوشم آمد"
ENGLISH = "I read the book number {} and it was not for me"


def told(folder: Path, task: str, columns: dict[str, list[str]], mapping: dict[str, str] | None = None) -> dict:
    file = folder / "rows.csv"
    polars.DataFrame(columns).write_csv(file)
    return {one.code: one for one in inspect_file(file, get_task(task), mapping).problems}


@pytest.mark.parametrize("wrong", [60, 55, 3, 0])
def test_summaries_longer_than_their_texts(tmp_path: Path, wrong: int) -> None:
    pairs = [(LONG.format(n) * 3, f"No lamps in town {n}.") for n in range(60)]
    pairs = [(summary, text) if n < wrong else (text, summary) for n, (text, summary) in enumerate(pairs)]
    texts, summaries = zip(*pairs, strict=True)
    found = told(
        tmp_path,
        "summarization",
        {"text": list(texts), "summary": list(summaries)},
        {"text": "text", "answer": "summary"},
    )
    if wrong > 50:
        assert (
            found["swapped-columns"].count == wrong
            and "Take 'summary' as the text and 'text' as the summary" in found["swapped-columns"].hint
        )
        assert found["swapped-columns"].severity == "warning"
    else:
        assert "swapped-columns" not in found and ("longer-summaries" in found) == bool(wrong)
        assert not wrong or found["longer-summaries"].rows == (1, 2, 3)


def test_rows_of_two_languages_are_counted(tmp_path: Path) -> None:
    texts = [(PERSIAN if n % 2 else ENGLISH).format(n) for n in range(60)]
    problem = told(tmp_path, "sentiment", {"text": texts, "label": ["good", "bad", "bad", "good"] * 15})[
        "mixed-languages"
    ]
    assert (
        problem.severity == "warning"
        and "30 in Persian" in problem.message
        and "30 in English" in problem.message
        and problem.count == 30
    )
    assert "۳۰ سطر به زبان فارسی" in problem.said.fa


def test_a_part_is_told_and_a_stray_row_is_not(tmp_path: Path) -> None:
    labels = ["good", "bad", "bad", "good"] * 15
    some = [(PERSIAN if n % 6 == 5 else ENGLISH).format(n) for n in range(60)]
    problem = told(tmp_path, "sentiment", {"text": some, "label": labels})["mixed-languages"]
    assert problem.message.startswith(
        "The rows are in 2 languages: 50 in English and 10 in Persian (17 % of all"
    ) and problem.rows[:2] == (6, 12)
    stray = [(PERSIAN if n in (5, 20) else ENGLISH).format(n) for n in range(60)]
    assert "mixed-languages" not in told(tmp_path, "sentiment", {"text": stray, "label": labels})
    both = [f"{ENGLISH.format(n)} {PERSIAN.format(n)}" for n in range(60)]
    assert "mixed-languages" not in told(tmp_path, "sentiment", {"text": both, "label": labels})


def test_instructions_may_be_in_two_languages_and_pairs_are(tmp_path: Path) -> None:
    texts = [(PERSIAN if n % 2 else ENGLISH).format(n) for n in range(60)]
    answers = [f"{text} so" for text in texts]
    assert (
        told(tmp_path, "instruction", {"instruction": texts, "output": answers})["mixed-languages"].severity == "info"
    )
    assert "mixed-languages" not in told(tmp_path, "translation", {"source": texts, "target": answers})


@pytest.mark.parametrize("half", [2, 1])
def test_conversations_in_two_languages_are_told_and_in_one_are_not(tmp_path: Path, half: int) -> None:
    questions = ["What is the weather like today?", "هوای امروز چطور است و چه باید بپوشم؟"][:half]
    chats = [
        {
            "messages": [
                {"role": "user", "content": f"{questions[n % half]} {n}"},
                {"role": "assistant", "content": f"The answer of row {n}"},
            ]
        }
        for n in range(60)
    ]
    file = tmp_path / "chats.jsonl"
    file.write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")
    seen = inspect_file(file, get_task("chat"))
    found = {problem.code: problem for problem in seen.problems}
    if half == 1:
        assert "mixed-languages" not in found
        return
    problem = found["mixed-languages"]
    assert problem.severity == "info" and problem.count == 30
    assert "30 in English and 30 in Persian" in problem.message and problem.rows == tuple(range(2, 21, 2))
    assert [number for number, _ in seen.rows_of("mixed-languages", 3)] == [2, 4, 6]
