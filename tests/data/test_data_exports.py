"""Exports of annotation tools are read as their authors intend, and skipped, rejected or unfinished rows are reported
by number."""

import csv
import io
import json
from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import DataError
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.read.read import read_table

REPORTED = Path(__file__).parents[3] / "shared" / "data" / "reported"
BOTH = {"choices": ["Positive", "Neutral"]}


def put(folder: Path, name: str, content: object) -> Path:
    file = folder / name
    if name.endswith(".jsonl"):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    file.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return file


def problems_of(file: Path, task: str = "sentiment") -> tuple[Inspection, dict]:
    seen = inspect_file(file, get_task(task))
    assert len({problem.code for problem in seen.problems}) == len(seen.problems)
    return seen, {problem.code: problem for problem in seen.problems}


def choice(*labels: str, by: int = 1, **more: object) -> dict:
    result = (
        [{"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}]
        if labels
        else []
    )
    return {"id": by, "completed_by": by, "result": result, "was_cancelled": False, "ground_truth": False, **more}


def task_of(number: int, *annotations: dict) -> dict:
    live = [one for one in annotations if not one["was_cancelled"]]
    return {
        "id": 100 + number,
        "annotations": list(annotations),
        "predictions": [choice("Negative")],
        "drafts": [],
        "meta": {},
        "data": {"text": f"The lamp of week {number}"},
        "total_annotations": len(live),
        "cancelled_annotations": len(annotations) - len(live),
        "project": 7,
        "created_at": "2024-05-01T10:00:00Z",
    }


TASKS = [
    task_of(1, choice("Positive")),
    task_of(2, choice("Negative", was_cancelled=True)),  # skipped
    task_of(3, choice("Positive", "Neutral")),  # several where the others have one
    task_of(4, choice("Positive"), choice("Negative", by=2)),  # no majority
    task_of(5, choice("Positive"), choice("Negative", by=2), choice("Negative", by=3)),  # outvoted
    task_of(6, choice("Positive"), choice("Negative", by=2, ground_truth=True), choice("Positive", by=3)),  # settled
    task_of(7, choice("Positive"), choice("Negative", by=2, was_cancelled=True)),
    task_of(8),  # only predicted
    *(task_of(number, choice("Positive" if number % 2 else "Negative")) for number in range(9, 29)),
]


@pytest.mark.parametrize("name", ["tasks.json", "tasks.jsonl", "wrapped.json"])
def test_label_studios_json(tmp_path: Path, name: str) -> None:
    seen, found = problems_of(put(tmp_path, name, {"tasks": TASKS} if name == "wrapped.json" else TASKS))
    assert seen.mapping == {"text": "text", "answer": "sentiment"} and seen.table.rows == 24
    assert found["labels"].message == "2 classes: Negative 12, Positive 12."
    assert found["not-annotated"].rows == (2, 8) and found["several-labels-left-out"].rows == (3,)
    assert found["annotators-disagree"].rows == (4,) and found["annotators-outvoted"].rows == (5,)
    labels = dict(zip(seen.table.numbers(), seen.table.texts("sentiment"), strict=True))
    assert [labels.get(number, "gone") for number in (1, 3, 4, 5, 6, 7)] == [
        "Positive",
        "gone",
        "gone",
        "Negative",
        "Negative",
        "Positive",
    ]
    assert "empty-answers" not in found  # told once, by what they have instead
    assert "predictions" in found["annotation-export"].message and "project" not in seen.table.columns


FLAT = [("Positive", False), ("Negative", True), (BOTH, False), ("Negative", False)] + [
    ("Positive", False),
    ("Negative", False),
] * 12


def flat_rows() -> list[dict]:
    rows = [
        {
            "text": f"The lamp of week {n}",
            "id": n,
            "sentiment": label,
            "annotator": 1,
            "annotation_id": n,
            "was_cancelled": skipped,
            "lead_time": n / 10,
        }
        for n, (label, skipped) in enumerate(FLAT)
    ]
    again = [
        {**rows[0], "annotator": 2, "sentiment": "Negative"},
        {**rows[3], "annotator": 2},
        {**rows[3], "annotator": 3, "sentiment": "Positive"},
    ]
    return rows + again


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl"])
def test_label_studios_flat_exports(tmp_path: Path, kind: str) -> None:
    rows = flat_rows()
    if kind in ("csv", "tsv"):
        held = io.StringIO()
        writer = csv.DictWriter(held, list(rows[0]), delimiter="," if kind == "csv" else "\t")
        writer.writeheader()
        writer.writerows(
            {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()} for row in rows
        )
        file = put(tmp_path, f"tasks.{kind}", held.getvalue())
    else:
        file = put(tmp_path, f"tasks.{kind}", rows)
    seen, found = problems_of(file)
    assert (
        seen.mapping == {"text": "text", "answer": "sentiment"} and seen.table.rows == 25
    )  # 28 tasks, one skipped, two left open
    assert found["not-annotated"].rows == (2,) and found["several-labels-left-out"].rows == (3,)
    assert found["annotators-disagree"].rows == (1,) and found["annotators-outvoted"].rows == (4,)
    assert found["labels"].message == "2 classes: Negative 13, Positive 12." and not {
        "duplicates",
        "empty-answers",
    } & set(found)


def test_several_choices_stay_where_that_is_what_the_labels_are(tmp_path: Path) -> None:
    labels = [("Staff", "Price"), ("Staff",), ("Price",)]
    seen, found = problems_of(
        put(tmp_path, "many.json", [task_of(n, choice(*labels[n % 3])) for n in range(30)]), "topic"
    )
    assert (
        found["labels"].message == "3 classes: Price 10, 'Price, Staff' 10, Staff 10."
        and found["several-labels"].count == 10
    )


def test_spans_are_no_label_and_written_texts_are_answers(tmp_path: Path) -> None:
    span = {
        "from_name": "ner",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 4, "end": 8, "text": "lamp", "labels": ["THING"]},
    }

    def written(text: str) -> dict:
        return {"from_name": "fa", "to_name": "text", "type": "textarea", "value": {"text": [text]}}

    tasks = [task_of(n, choice("Positive" if n % 2 else "Negative")) for n in range(20)]
    for n, task in enumerate(tasks):
        task["annotations"][0]["result"] += [span, written(f"چراغ هفتهٔ {n}")]
    tasks[3]["annotations"].append({**choice("Positive", by=2), "result": [written("لامپ")]})
    file = put(tmp_path, "spans.json", tasks)
    seen, found = problems_of(file)
    assert seen.table.columns == ["id", "text", "sentiment", "fa"] and "ner" in found["spans"].message
    assert inspect_file(file, get_task("translation")).mapping == {"source": "text", "answer": "fa"}
    assert found["other-annotators"].rows == (4,) and seen.table.texts("fa")[3] == "چراغ هفتهٔ 3"


def prodigy(number: int, answer: str, **more: object) -> dict:
    return {
        "text": f"The lamp of week {number}",
        "_input_hash": number,
        "_task_hash": 1000 + number,
        "answer": answer,
        "_view_id": "choice",
        **more,
    }


def test_prodigys_choices(tmp_path: Path) -> None:
    options = [{"id": "POS", "text": "Positive"}, {"id": "NEG", "text": "Negative"}]
    rows = [prodigy(n, "accept", options=options, accept=["POS" if n % 2 else "NEG"]) for n in range(30)]
    rows[5]["answer"], rows[9] = "reject", {**rows[9], "answer": "ignore", "accept": []}
    rows[11]["accept"] = ["POS", "NEG"]
    seen, found = problems_of(put(tmp_path, "choices.jsonl", rows))
    assert (
        seen.mapping == {"text": "text", "answer": "accept"} and found["labels"].message == "2 classes: NEG 15, POS 12."
    )
    assert found["not-accepted"].rows == (6, 10) and found["several-labels-left-out"].rows == (12,)
    assert found["not-accepted"].message == "2 rows not accepted by the annotator (1 rejected, 1 ignored): left out."


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_prodigys_options_are_learnt_by_what_they_say(tmp_path: Path, kind: str) -> None:
    options = [{"id": 1, "text": "Late delivery"}, {"id": 2, "text": "Price, too high"}, {"id": 3, "text": "Staff"}]
    rows = [prodigy(n, "accept", options=options, accept=[n % 3 + 1]) for n in range(30)]
    rows[4]["accept"] = [7]  # none of the options
    rows[7]["options"] = [{"id": n, "image": f"{n}.png"} for n in (1, 2, 3)]
    file = tmp_path / f"options.{kind}"
    if kind == "parquet":
        del rows[7]["options"]
        polars.DataFrame(rows).write_parquet(file)
    elif kind == "csv":
        texts = [
            {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
        ]
        polars.DataFrame(texts).write_csv(file)
    else:
        put(tmp_path, file.name, rows)
    table = read_table(file)
    named = [options[n % 3]["text"] for n in range(30)]
    named[4], named[7] = "7", "2"
    assert table.texts("accept").to_list() == named


def test_prodigys_binary_questions(tmp_path: Path) -> None:
    rows = [prodigy(n, ("accept", "reject", "accept", "ignore")[n % 4], label="SPAM") for n in range(40)]
    seen, found = problems_of(put(tmp_path, "one.jsonl", rows), "spam")
    # One label that is accepted or rejected makes two classes.
    assert found["labels"].message == "2 classes: SPAM 20, not SPAM 10." and found["not-accepted"].count == 10
    rows = [prodigy(n, ("accept", "reject")[n % 4 == 3], label=("POS", "NEG")[n % 2]) for n in range(40)]
    seen, found = problems_of(put(tmp_path, "two.jsonl", rows))
    # Of several labels a rejected one says only what a text is not.
    assert found["labels"].message == "2 classes: POS 20, NEG 10." and found["not-accepted"].rows[:2] == (4, 8)
    # Without hashes, as a person may have stripped them; and without a label, where the button is the answer.
    bare = [{"text": row["text"], "label": row["label"], "answer": row["answer"]} for row in rows]
    assert problems_of(put(tmp_path, "bare.jsonl", bare))[1]["labels"].message == "2 classes: POS 20, NEG 10."
    asked = [prodigy(n, ("accept", "reject", "ignore")[n % 3]) for n in range(45)]
    assert (
        problems_of(put(tmp_path, "asked.jsonl", asked), "topic")[1]["labels"].message
        == "2 classes: accept 15, reject 15."
    )


def test_prodigys_sessions_vote(tmp_path: Path) -> None:
    rows = [prodigy(n, "accept", accept=["POS" if n % 2 else "NEG"], _session_id="a") for n in range(30)]
    rows += [
        {**rows[0], "accept": ["POS"], "_session_id": "b"},
        {**rows[1], "_session_id": "b"},
        {**rows[2], "answer": "ignore", "_session_id": "b"},
    ]
    seen, found = problems_of(put(tmp_path, "sessions.jsonl", rows))
    assert seen.table.rows == 29 and found["annotators-disagree"].rows == (1,) and found["not-accepted"].rows == (33,)


def test_prodigys_spans_are_named_and_nothing_accepted_is_refused(tmp_path: Path) -> None:
    rows = [prodigy(n, "accept", spans=[{"start": 4, "end": 8, "label": "THING"}], tokens=[]) for n in range(20)]
    table = read_table(put(tmp_path, "spans.jsonl", rows))
    assert "spans" in {problem.code for problem in table.problems} and table.columns == ["text", "spans"]
    with pytest.raises(DataError, match=r"no row that an annotator vouches for: 3 rows not accepted .*\(3 rejected"):
        read_table(put(tmp_path, "none.jsonl", [prodigy(n, "reject", label=("a", "b")[n % 2]) for n in range(3)]))


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": "a", "answer": "accept"}, {"text": "b", "answer": "reject"}],  # a column of one's own
        [{"text": "a", "label": "x", "answer": "yes"}],
        [{"data": {"a": 1}, "annotations": "none", "text": "a", "label": "b"}],
        [{"text": "a", "label": "b", "annotator": "me"}],
    ],
)
def test_other_tables_are_left_alone(tmp_path: Path, rows: list[dict]) -> None:
    table = read_table(put(tmp_path, "rows.jsonl", rows))
    assert (
        table.columns == list(rows[0])
        and table.rows == len(rows)
        and "annotation-export" not in {problem.code for problem in table.problems}
    )


@pytest.mark.skipif(not REPORTED.is_dir(), reason="the reported inputs are not here")
@pytest.mark.parametrize(
    ("name", "labels", "code", "rows"),
    [
        (
            "labelstudio.csv",
            "2 classes: Negative 13, Positive 12.",
            "several-labels-left-out",
            (1, 6, 11, 16, 21, 26, 31),
        ),
        ("prodigy_choice.jsonl", "2 classes: POS 16, NEG 14.", "not-accepted", (6, 10)),
    ],
)
def test_reported_exports(name: str, labels: str, code: str, rows: tuple[int, ...]) -> None:
    _, found = problems_of(REPORTED / name)
    assert found["labels"].message == labels and found[code].rows == rows


def asked_two(number: int, sentiment: list[str], topic: list[str]) -> dict:
    """A task of two questions, with the answers of several annotators to each."""

    def one(name: str, label: str) -> dict:
        return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [label]}}

    return task_of(
        number,
        *[
            {**choice(by=by), "result": [one("sentiment", first), one("topic", second)]}
            for by, (first, second) in enumerate(zip(sentiment, topic, strict=True))
        ],
    )


def test_of_several_questions_the_one_that_is_the_answer_is_told_once(tmp_path: Path) -> None:
    rows = [asked_two(n, [("Positive", "Negative")[n % 2]], [("box", "lamp")[n % 2]]) for n in range(24)]
    rows[3] = asked_two(3, ["Positive", "Negative"], ["box", "box"])  # no majority for the one
    rows[6] = asked_two(6, ["Positive", "Positive"], ["box", "lamp"])  # nor for the other
    file = put(tmp_path, "two.json", rows)
    for answer, open_row in (("sentiment", 4), ("topic", 7)):
        seen = inspect_file(file, get_task("topic"), {"answer": answer})
        found = {problem.code: problem for problem in seen.problems}
        assert len(found) == len(seen.problems)
        assert found["annotators-disagree"].rows == (open_row,) and repr(answer) in found["annotators-disagree"].message
        assert "empty-answers" not in found and seen.table.rows == 23 and open_row not in seen.table.numbers().to_list()
    assert "annotators-disagree" not in {
        problem.code
        for problem in inspect_file(file, get_task("instruction"), {"instruction": "text", "answer": "id"}).problems
    }


ARGILLA = [  # (value, status) of each annotator; a model's suggestion
    ([("good", "submitted")], None),
    ([("bad", "discarded")], "bad"),
    ([("good", "submitted"), ("bad", "submitted")], None),  # no majority
    ([("good", "submitted"), ("bad", "submitted"), ("bad", "submitted")], None),  # outvoted
    ([], "good"),  # only suggested
    ([("good", "submitted"), ("bad", "draft")], None),
    *(([("good" if n % 2 else "bad", "submitted")], "good") for n in range(7, 31)),
]


def argilla_record(number: int, given: list, suggested: str | None, form: str) -> dict:
    text = f"The lamp of week {number}"
    users = [f"user {place}" for place in range(len(given))]
    if form == "nested":
        responses = (
            {
                "label": [
                    {"value": value, "user_id": user, "status": status}
                    for (value, status), user in zip(given, users, strict=True)
                ]
            }
            if given
            else {}
        )
        suggestions = {"label": {"value": suggested, "score": 0.9, "agent": "model"}} if suggested else {}
        record = {
            "id": f"r{number}",
            "fields": {"text": text},
            "metadata": {"shop": "a"},
            "suggestions": suggestions,
            "responses": responses,
        }
        return {**record, "vectors": {}, "_server_id": str(number)}
    if form == "server":
        responses = [
            {"user_id": user, "values": {"label": {"value": value}}, "status": status}
            for (value, status), user in zip(given, users, strict=True)
        ]
        suggestions = [{"question_name": "label", "value": suggested, "agent": None}] if suggested else []
        return {
            "id": number,
            "fields": {"text": text},
            "metadata": {"shop": "a"},
            "responses": responses,
            "suggestions": suggestions,
            "external_id": None,
        }
    if form == "lists":
        answers = [
            {"user_id": user, "value": value, "status": status}
            for (value, status), user in zip(given, users, strict=True)
        ]
        return {
            "text": text,
            "shop": "a",
            "label": answers,
            "label-suggestion": suggested,
            "label-suggestion-metadata": {"type": None},
            "external_id": None,
        }
    values, statuses = [value for value, _ in given] or None, [status for _, status in given] or None
    flat = {
        "id": f"r{number}",
        "_server_id": str(number),
        "text": text,
        "shop": "a",
        "label.responses": values,
        "label.responses.users": users or None,
    }
    return flat | {
        "label.responses.status": statuses,
        "label.suggestion": suggested,
        "label.suggestion.score": 0.9,
        "label.suggestion.agent": "model",
    }


@pytest.mark.parametrize("name", ["records.json", "records.jsonl"])
@pytest.mark.parametrize("form", ["nested", "server", "lists", "flat"])
def test_argillas_exports(tmp_path: Path, form: str, name: str) -> None:
    seen, found = problems_of(put(tmp_path, name, [argilla_record(n, *one, form) for n, one in enumerate(ARGILLA, 1)]))
    assert seen.mapping == {"text": "text", "answer": "label"} and seen.table.rows == 27
    assert found["labels"].message == "2 classes: good 14, bad 13." and "empty-answers" not in found
    assert found["responses-not-submitted"].rows == (2, 6) and found["not-annotated"].rows == (2, 5)
    assert found["annotators-disagree"].rows == (3,) and found["annotators-outvoted"].rows == (4,)
    assert {"shop", "label.suggestion"} <= set(seen.table.columns) and "An export of Argilla." in found[
        "annotation-export"
    ].message
    assert all(problem.said.fa for problem in found.values())


def test_argillas_responses_of_other_kinds(tmp_path: Path) -> None:
    def record(number: int, responses: dict) -> dict:
        return {
            "id": str(number),
            "fields": {"text": f"The lamp of week {number}"},
            "suggestions": {},
            "metadata": {},
            "vectors": {},
            "responses": {question: [{"value": value, "user_id": "u"}] for question, value in responses.items()},
        }

    kinds = [
        {
            "text": "a corrected text",
            "tags": ["b", "a"],
            "stars": number % 5 + 1,
            "marked": [{"label": "X", "start": 0, "end": 3}],
        }
        for number in range(30)
    ]
    seen, found = problems_of(
        put(tmp_path, "kinds.json", [record(number, one) for number, one in enumerate(kinds)]), "topic"
    )
    assert (
        seen.table.frame["tags"].to_list() == ["a, b"] * 30 and seen.table.frame["stars"][3] == "4" and "spans" in found
    )
    assert (
        seen.table.frame["text_answer"][0] == "a corrected text" and seen.table.frame["text"][0] == "The lamp of week 0"
    )
    with pytest.raises(DataError, match="no row that an annotator vouches for"):
        problems_of(put(tmp_path, "none.json", [argilla_record(n, [], "good", "nested") for n in range(9)]))
