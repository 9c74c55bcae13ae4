"""tasks.samples: the files are what the script makes, without duplicates, balanced, clean, and not solvable by one
word."""

import collections
import csv
import json
import re
import unicodedata

import pytest

from lora_hub.catalogue.tasks.samples.making import make_samples, translation_en_fa

NAMES = list(make_samples.MAKERS)
LABELLED = ["spam.csv", "sentiment-fa.csv"]


def read_rows(name: str) -> list[dict[str, str]]:
    file = make_samples.FOLDER / name
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_the_script_makes(name):
    text = make_samples.make_text(name)
    assert (make_samples.FOLDER / name).read_bytes().decode("utf-8") == text
    assert make_samples.make_text(name) == text
    assert read_rows(name) == make_samples.make_rows(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_hundred_rows_and_none_twice(name):
    rows = read_rows(name)
    assert 400 <= len(rows) <= 800
    answer = list(rows[0])[-1]
    inputs = [tuple(value.casefold() for key, value in row.items() if key != answer) for row in rows]
    assert len(set(inputs)) == len(rows)
    assert all(value.strip() == value and value for row in rows for value in row.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_clean(name):
    text = (make_samples.FOLDER / name).read_text(encoding="utf-8")
    assert text == unicodedata.normalize("NFC", text)
    assert "\ufeff" not in text and "\r" not in text
    assert not re.search("[يكى]", text), "Arabic letters where Persian ones belong"
    assert not re.search(r"\u200c(?=[\s.،!؟])|[\s]\u200c", text), "a joiner at a word's edge"
    assert not re.search(r"[{}]", text) or name.endswith(".jsonl")
    assert not re.search(r"  |\.\.", text)


@pytest.mark.parametrize("name", LABELLED)
def test_labels_are_balanced_and_mixed(name):
    labels = [row["label"] for row in read_rows(name)]
    counts = collections.Counter(labels)
    assert len(counts) == 2
    assert len(set(counts.values())) == 1
    # Shuffled: each tenth of the file has some of both.
    tenth = len(labels) // 10
    assert all(len(set(labels[start : start + tenth])) == 2 for start in range(0, len(labels), tenth))


@pytest.mark.parametrize("name", LABELLED)
def test_no_word_and_no_length_decides(name):
    rows = read_rows(name)
    first = rows[0]["label"]
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        for word in set(re.findall(r"\S+", row["text"].casefold())):
            counts[word][row["label"] == first] += 1
    best = max(0.5 + abs(ours - theirs) / len(rows) for ours, theirs in counts.values())
    assert best < 0.75
    lengths = [(len(row["text"]), row["label"] == first) for row in rows]
    right = [sum((length < limit) == is_first for length, is_first in lengths) for limit in range(10, 250)]
    assert max(max(right), len(rows) - min(right)) / len(rows) < 0.72


def test_questions_need_the_passage():
    """The answer stands in the passage, as a whole word, and not in the question; and guessing is of no use."""
    rows = read_rows("question-answering.jsonl")
    for row in rows:
        assert re.search(rf"\b{re.escape(row['answer'])}\b", row["context"]), row
        assert not re.search(rf"\b{re.escape(row['answer'])}\b", row["question"]), row
    answers = collections.Counter(row["answer"] for row in rows)
    assert answers.most_common(1)[0][1] / len(rows) < 0.05
    # Whoever knows all other rows' questions and answers, but not the passage, does little better than chance.
    by_question: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for row in rows:
        by_question[row["question"]][row["answer"]] += 1
    guessed = 0
    for row in rows:
        others = by_question[row["question"]] - collections.Counter([row["answer"]])
        guessed += bool(others) and others.most_common(1)[0][0] == row["answer"]
    assert guessed / len(rows) < 0.2


def test_held_out_sentences_are_made_of_known_words():
    """The translation sample is a small language: of a random fifth held out, nearly every word occurs in the rest."""
    rows = read_rows("translation-en-fa.csv")
    for column in ("en", "fa"):
        words = [re.findall(r"[^\s.?؟,]+", row[column].casefold()) for row in rows]
        for start in range(5):
            held_out = [word for row in words[start::5] for word in row]
            known = {word for i, row in enumerate(words) if i % 5 != start for word in row}
            assert sum(word in known for word in held_out) / len(held_out) > 0.98


def test_translations_are_in_the_two_languages():
    for row in read_rows("translation-en-fa.csv"):
        assert row["en"].isascii()
        assert not re.search("[A-Za-z]", row["fa"])
        assert row["en"][-1] == ("?" if row["fa"].endswith("؟") else ".")


@pytest.mark.parametrize(
    ("person", "tense", "verb"),
    [
        (1, "past", "خریدم"),
        (3, "past", "خرید"),
        (6, "past", "خریدند"),
        (2, "habit", "می‌خری"),
        (3, "future", "می‌خرد"),
        (6, "habit", "می‌خرند"),
    ],
)
def test_persian_verbs_agree(person, tense, verb):
    assert translation_en_fa.conjugate(translation_en_fa.ACTIVITIES[0], person, tense) == verb
