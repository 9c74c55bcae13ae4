"""Exports of Argilla, in three forms: records from `to_json` (each with nested fields, responses and suggestions);
records from its server and first version (a list of responses, each with values and status); and flat tables
(`label.responses`, `label.responses.status`; in the first version a list of {user_id, value, status} in each cell).

Only submitted responses count. Discarded responses and drafts do not, and suggestions come from a model. Marked spans
of a text are not a label of the text. Format: docs.argilla.io, `rg.Dataset.records`.
"""

import re
from collections.abc import Iterator
from typing import Any

import polars

from lora_hub.core.messages import _, _n
from lora_hub.data.read.annotations import LONGEST_LABEL, Export
from lora_hub.data.read.json_rows import frame_of
from lora_hub.data.tables.table import is_nested
from lora_hub.data.tables.value_text import listed, value_text

NAME = "Argilla"
OWN = ("id", "_server_id", "external_id", "status", "vectors", "inserted_at", "updated_at", "dataset_id", "users")
FLAT = ".responses"
Answers = dict[str, list[tuple[str, Any]]]  # question -> (status, value) of each annotator


def read_argilla(frame: polars.DataFrame) -> Export | None:
    """None if the frame is not an export of this tool."""
    columns = frame.schema
    if "fields" in columns and "responses" in columns and is_nested(columns["fields"]):
        fields = frame["fields"].to_list()
        if all(isinstance(one, dict) for one in fields):
            return _read_records(frame, fields)
    questions = [name.removesuffix(FLAT) for name in frame.columns if name.endswith(FLAT)]
    told = [name for name in questions if {f"{name}{FLAT}.status", f"{name}{FLAT}.users"} & set(columns)]
    if told:
        return _read_flat(frame, told)
    listed_ones = [
        name for name in frame.columns if is_nested(columns[name]) and _holds_responses(frame[name].to_list())
    ]
    return _read_lists(frame, listed_ones) if listed_ones else None


def _holds_responses(cells: list) -> bool:
    """Lists of {user_id, value, status}: a question's column in the first version."""
    given = [one for cell in cells if cell is not None for one in (cell if isinstance(cell, list) else [None])]
    return bool(given) and all(isinstance(one, dict) and {"user_id", "value", "status"} <= set(one) for one in given)


def _read_lists(frame: polars.DataFrame, questions: list[str]) -> Export:
    answers: list[Answers] = [{} for _ in range(frame.height)]
    suggested: list[dict[str, Any]] = [{} for _ in range(frame.height)]
    for question in questions:
        for place, (given, value) in enumerate(
            zip(frame[question].to_list(), _cells(frame, f"{question}-suggestion"), strict=True)
        ):
            answers[place] |= _answers({question: given or []})
            suggested[place] |= {question: value} if value not in (None, "") else {}
    beside = [f"{name}-suggestion{more}" for name in questions for more in ("", "-metadata")]
    aside = [name for name in frame.columns if name in (*OWN, *beside, "metadata")]
    return _export(frame.drop([*aside, *questions]), answers, suggested, aside)


def _read_records(frame: polars.DataFrame, fields: list[dict]) -> Export:
    def column(name: str) -> list:
        return frame[name].to_list() if name in frame.columns else [None] * frame.height

    rows = [
        {
            **{name: value for name, value in one.items() if value is not None},
            **{name: value for name, value in (metadata or {}).items() if name not in one},
        }
        for one, metadata in zip(
            fields, (one if isinstance(one, dict) else {} for one in column("metadata")), strict=True
        )
    ]
    suggested = [dict(_suggestions(one)) for one in column("suggestions")]
    aside = [name for name in frame.columns if name in OWN]
    return _export(frame_of(rows, NAME), [_answers(one) for one in column("responses")], suggested, aside)


def _answers(responses: Any) -> Answers:
    """{question: [{value, status}]}, or [{values: {question: {value}}, status}]."""
    found: Answers = {}
    if isinstance(responses, dict):
        for question, given in responses.items():
            for one in given if isinstance(given, list) else [given]:
                if isinstance(one, dict) and one.get("value") is not None:
                    found.setdefault(question, []).append((str(one.get("status") or "submitted"), one["value"]))
    for response in responses if isinstance(responses, list) else []:
        status = str(response.get("status") or "submitted") if isinstance(response, dict) else ""
        values = response.get("values") if isinstance(response, dict) else None
        for question, one in (values if isinstance(values, dict) else {}).items():
            value = one.get("value") if isinstance(one, dict) else one
            if value is not None:
                found.setdefault(question, []).append((status, value))
        if status and not values:  # discarded without an answer
            found.setdefault("", []).append((status, None))
    return found


def _suggestions(suggestions: Any) -> Iterator[tuple[str, Any]]:
    """{question: {value}}, or [{question_name, value}]."""
    if isinstance(suggestions, dict):
        yield from (
            (question, one.get("value") if isinstance(one, dict) else one) for question, one in suggestions.items()
        )
    for one in suggestions if isinstance(suggestions, list) else []:
        if isinstance(one, dict) and one.get("question_name"):
            yield str(one["question_name"]), one.get("value")


def _read_flat(frame: polars.DataFrame, questions: list[str]) -> Export:
    answers: list[Answers] = [{} for _ in range(frame.height)]
    suggested: list[dict[str, Any]] = [{} for _ in range(frame.height)]
    own = re.compile(
        "|".join(
            rf"{re.escape(name)}\.(responses(\.users|\.status)?|suggestion(\.score|\.agent)?)" for name in questions
        )
    )
    for question in questions:
        statuses = _cells(frame, f"{question}{FLAT}.status")
        for place, (values, given) in enumerate(zip(_cells(frame, question + FLAT), statuses, strict=True)):
            values = values if isinstance(values, list) else [] if values is None else [values]
            given = given if isinstance(given, list) and len(given) == len(values) else [None] * len(values)
            answers[place][question] = [
                (str(status or "submitted"), value)
                for value, status in zip(values, given, strict=True)
                if value is not None
            ]
        for place, value in enumerate(_cells(frame, f"{question}.suggestion")):
            suggested[place] |= {question: value} if value not in (None, "") else {}
    aside = [name for name in frame.columns if name in OWN or own.fullmatch(name)]
    return _export(frame.drop(aside), answers, suggested, aside)


def _cells(frame: polars.DataFrame, name: str) -> list:
    """The column's values, with lists and objects that a CSV holds as text parsed."""
    if name not in frame.columns:
        return [None] * frame.height
    return [(listed(cell) or cell) if isinstance(cell, str) else cell for cell in frame[name].to_list()]


def _export(
    frame: polars.DataFrame, answers: list[Answers], suggested: list[dict[str, Any]], aside: list[str]
) -> Export:
    export = Export(NAME, frame, list(range(1, frame.height + 1)), aside)
    live = [
        {question: [value for status, value in given if status == "submitted"] for question, given in one.items()}
        for one in answers
    ]
    left = [
        row
        for row, one in enumerate(answers, 1)
        if any(status != "submitted" for given in one.values() for status, _value in given)
    ]
    if left:
        said = _n(
            "In {count:,} row responses were discarded, or are drafts: they do not count.",
            "In {count:,} rows responses were discarded, or are drafts: they do not count.",
            count=len(left),
        )
        export.tell("responses-not-submitted", left, said)
    spans: set[str] = set()
    given = {
        question: [[_names(value, question, spans) for value in one.get(question, [])] for one in live]
        for one in live
        for question in one
        if question
    }
    names = {question: question if question not in frame.columns else f"{question}_answer" for question in given}
    for question, labels in given.items():
        if any(any(row) for row in labels):
            is_text = any(len(label) > LONGEST_LABEL for row in labels for one in row for label in one)
            (export.set_texts if is_text else export.set_labels)(names[question], labels)
    export.tell_spans(spans)
    for question in dict.fromkeys(question for one in suggested for question in one):
        values = [value_text(one.get(question)) for one in suggested]
        export.frame = export.frame.with_columns(polars.Series(f"{question}.suggestion", values, dtype=polars.String))
    export.leave_out(
        "not-annotated",
        [not any(filter(None, one.values())) for one in live],
        _n(
            "{count:,} row without a submitted response: left out.",
            "{count:,} rows without a submitted response: left out.",
        ),
        hint=_("Annotate them in the tool to keep them; what a model suggested is no answer."),
    )
    return export


def _names(value: Any, question: str, spans: set[str]) -> list[str]:
    """The labels of one response: a label, several, a rating, or a ranking (its order is the label)."""
    if not isinstance(value, list):
        return [text] if (text := value_text(value)) else []
    if any(isinstance(one, dict) and one.get("start") is not None for one in value):
        spans.add(question)
        return []
    if value and all(isinstance(one, dict) and "rank" in one for one in value):
        return [" > ".join(str(one.get("value")) for one in sorted(value, key=lambda one: one["rank"] or 0))]
    return [text for one in value if (text := value_text(one))]
