"""Exports of Label Studio: JSON (`data` and `annotations`), JSON-MIN and CSV (one row for each annotation).

Skipped annotations (`was_cancelled`) do not count. If one is marked as ground truth, only that one counts. Predictions
are not annotations. Marked spans of a text are not a label of the text. Format: labelstud.io/guide/export.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import polars

from lora_hub.core.messages import _, _n
from lora_hub.data.read.annotations import LONGEST_LABEL, Export
from lora_hub.data.read.json_rows import frame_of
from lora_hub.data.tables.table import is_nested
from lora_hub.data.tables.value_text import listed, value_text

NAME = "Label Studio"
# The tool's own columns beside data and labels, in all its formats.
OWN = (
    "annotation_id annotator lead_time was_cancelled ground_truth total_annotations cancelled_annotations "
    "total_predictions completed_by "
    "created_at updated_at annotations completions predictions drafts file_upload meta inner_id project updated_by "
    "comment_count "
    "unresolved_comment_count comment_authors last_comment_updated_at is_labeled overlap agreement allow_skip "
    "precomputed_agreement "
    "annotation_results annotators_count annotators reviewers_count reviews_accepted reviews_rejected "
    "predictions_results predictions_score "
    "predictions_model_versions avg_lead_time draft_exists updates"
).split()
# Two of these identify a flat export.
FLAT = {
    "annotation_id",
    "annotator",
    "lead_time",
    "was_cancelled",
    "ground_truth",
    "cancelled_annotations",
    "total_annotations",
    "completed_by",
}
# The key of a result's value, by the type of its control.
KINDS = ("choices", "taxonomy", "rating", "number", "datetime", "selected", "text")


def read_label_studio(frame: polars.DataFrame) -> Export | None:
    """None if the frame is not an export of this tool."""
    columns = frame.schema
    notes = next(
        (name for name in ("annotations", "completions") if name in columns and is_nested(columns[name])), None
    )
    if notes and "data" in columns and is_nested(columns["data"]):
        tasks = frame["data"].to_list(), frame[notes].to_list()
        if all(isinstance(data, dict) for data in tasks[0]) and all(
            isinstance(given, (list, type(None))) for given in tasks[1]
        ):
            return _read_tasks(frame, *tasks)
    return _read_flat(frame) if len(FLAT & set(columns)) >= 2 else None


def _read_tasks(frame: polars.DataFrame, tasks: list[dict], notes: list[list | None]) -> Export:
    results: list[list[dict[str, list[str]]]] = []  # for each task and each annotation that counts: control -> labels
    spans: set[str] = set()
    texts: set[str] = set()
    for given in notes:
        live = [one for one in given or [] if isinstance(one, dict) and not one.get("was_cancelled")]
        live = [one for one in live if one.get("ground_truth")] or live
        results.append([_results(one.get("result") or [], texts, spans) for one in live])
    ids = frame["id"].to_list() if "id" in frame.columns else None
    rows = [
        {**({"id": ids[place]} if ids else {}), **{key: value for key, value in data.items() if value is not None}}
        for place, data in enumerate(tasks)
    ]
    export = Export(
        NAME,
        frame_of(rows, NAME),
        list(range(1, len(rows) + 1)),
        [name for name in frame.columns if name in OWN and name != "annotations"],
    )
    for control in dict.fromkeys(control for task in results for one in task for control in one):
        given = [[one.get(control, []) for one in task] for task in results]
        (export.set_texts if control in texts else export.set_labels)(_free(control, export.frame.columns), given)
    export.tell_spans(spans)
    _leave_out(export, [not task for task in results])
    return export


def _results(results: Sequence[Any], texts: set[str], spans: set[str]) -> dict[str, list[str]]:
    """The labels of one annotation by control. Controls for free text go to `texts`, controls that mark spans to
    `spans`."""
    found: dict[str, list[str]] = {}
    for result in results:
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            continue
        control = str(result.get("from_name") or "label")
        if value.get("start") is not None:
            spans.add(control)
            continue
        if value.get("text") is not None:
            texts.add(control)
        labels = _labels(value)
        if labels:
            found.setdefault(control, []).extend(labels)
    return found


def _labels(value: dict) -> list[str]:
    """The labels in one value, from any type of control."""
    found = next((value[kind] for kind in KINDS if value.get(kind) is not None), None)
    if isinstance(found, list):
        # A taxonomy label is a path.
        return [" / ".join(map(str, one)) if isinstance(one, list) else str(one) for one in found]
    return [] if found is None or isinstance(found, dict) else [str(found)]


def _free(name: str, taken: Sequence[str]) -> str:
    count = 2
    free = name
    while free in taken:
        free, count = f"{name}_{count}", count + 1
    return free


def _leave_out(export: Export, out: Sequence[bool]) -> None:
    export.leave_out(
        "not-annotated",
        out,
        _n(
            "{count:,} row skipped by the annotators, or not annotated: left out.",
            "{count:,} rows skipped by the annotators, or not annotated: left out.",
        ),
        hint=_("Annotate them in the tool to keep them."),
    )


def _read_flat(frame: polars.DataFrame) -> Export:
    """One row for each annotation; the rows of one task (`id`) are its annotators' answers."""
    rows = frame.height
    aside = [name for name in frame.columns if name in OWN]
    skipped = _skipped(frame)
    groups: dict[Any, list[int]] = defaultdict(list)
    ids = frame["id"].to_list() if "id" in frame.columns else [None] * rows
    for place, key in enumerate(ids):
        groups[place if key is None or key == "" else ("id", str(key))].append(place)
    truth = _flags(frame, "ground_truth")
    live = {key: [place for place in places if not skipped[place]] for key, places in groups.items()}
    live = {key: [place for place in places if truth[place]] or places for key, places in live.items()}
    first = [places[0] for places in groups.values()]
    kept = frame.drop(aside)
    export = Export(NAME, kept[first], [place + 1 for place in first], aside)
    spans: set[str] = set()
    for name in kept.columns:
        cells = [_cell(cell, name, spans) for cell in kept[name].to_list()]
        given = [[cells[place][0] for place in places] for places in live.values()]
        if any(is_value for _, is_value in cells) or any(
            len(set(map(tuple, filter(None, answers)))) > 1 for answers in given
        ):
            is_text = any(len(label) > LONGEST_LABEL for labels, _ in cells for label in labels)
            (export.set_texts if is_text else export.set_labels)(name, given)
    export.tell_spans(spans)
    _leave_out(export, [not places for places in live.values()])
    return export


def _flags(frame: polars.DataFrame, name: str) -> list[bool]:
    if name not in frame.columns or is_nested(frame.schema[name]):
        return [False] * frame.height
    return [str(value).strip().lower() in ("true", "1", "1.0", "yes") for value in frame[name].to_list()]


def _skipped(frame: polars.DataFrame) -> list[bool]:
    """Rows that were skipped, or whose task had all its annotations skipped."""
    skipped = _flags(frame, "was_cancelled")
    if {"cancelled_annotations", "total_annotations"} <= set(frame.columns):
        counts = zip(
            *(
                frame[name].cast(polars.String, strict=False).to_list()
                for name in ("cancelled_annotations", "total_annotations")
            ),
            strict=True,
        )
        skipped = [
            one or (_count(cancelled) > 0 and _count(total) == 0)
            for one, (cancelled, total) in zip(skipped, counts, strict=True)
        ]
    return skipped


def _count(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0


def _cell(cell: Any, name: str, spans: set[str]) -> tuple[list[str], bool]:
    """The labels in a cell, and whether they were in one of the tool's values: {"choices": [...]}, [{"rating": 4}].
    None for spans."""
    value = listed(cell) if isinstance(cell, str) else cell
    if isinstance(value, (list, dict)):
        values = [
            {key: one for key, one in part.items() if one is not None}
            for part in (value if isinstance(value, list) else [value])
            if isinstance(part, dict)
        ]
        if values and all(part.get("start") is not None and part.get("end") is not None for part in values):
            spans.add(name)
            return [], True
        if values and all(len(part) == 1 and set(part) <= set(KINDS) for part in values):
            return [label for part in values for label in _labels(part)], True
    return [] if cell is None or cell == "" else [value_text(cell)], False
