"""A test's rows as CSV that no spreadsheet takes for formulas, and all of it as JSON; where a test stands, for
programs."""

from collections.abc import Sequence
from typing import Any

from lora_hub.compare.test_sets import folders
from lora_hub.compare.test_sets.nouns import TestRow, TestSpec, TestState
from lora_hub.compare.test_sets.results import describe_pair
from lora_hub.core.messages import read_message
from lora_hub.core.schema import RunState
from lora_hub.runs import answers_csv


def to_csv(rows: Sequence[TestRow]) -> str:
    """A line for each row: its number, inputs, other columns and reference, then every model's answer, how sure it was
    and what the answer is worth (0 to 100). Numbers stand as they are."""
    return answers_csv(rows)


def to_json(spec: TestSpec, result: dict[str, Any], rows: Sequence[TestRow]) -> dict[str, Any]:
    """All of a test: what was asked, what was found with each pair in a sentence, and every row."""
    pairs = [{**pair, "said": describe_pair(pair).en} for pair in result["pairs"]]
    asked = spec.model_dump(mode="json", include={"id", "name", "created", "adapters", "commits", "run", "mapping"})
    return {**asked, **result, "pairs": pairs, "answers": [_row_json(row) for row in rows]}


def _row_json(row: TestRow) -> dict[str, Any]:
    return {
        "row": row.row,
        "inputs": row.inputs,
        "columns": row.columns,
        "reference": row.reference,
        "answers": {
            pane: {
                "text": answer.text,
                "score": round(row.judgements[pane].score, 2),
                **({"probabilities": answer.probabilities} if answer.probabilities else {}),
            }
            for pane, answer in row.answers.items()
        },
    }


def test_row(state: TestState) -> dict[str, Any]:
    """A test in a line of JSON. seconds: of work; eta: seconds, None where it is not known."""
    return {
        "test": state.id,
        "name": state.spec.name,
        "task": state.spec.task.id,
        "adapters": list(state.spec.adapters),
        "state": state.state.value,
        "visibility": state.visibility,
        "done": state.done,
        "total": state.total,
        "eta": state.eta,
        "seconds": round(state.seconds, 3),
        "created": state.created,
    }


def test_details(state: TestState) -> dict[str, Any]:
    """With what it found, where it has ended well. Sentences are `Message`s, which page, shell and programs tell."""
    told = test_row(state)
    if state.error:
        told["error"] = state.error.to_json()
    folder = folders.folder_of(state.id)
    found = folders.read_result(folder) if state.state is RunState.SUCCEEDED else None
    if found is not None:
        told |= {key: found[key] for key in ("rows", "clusters", "metric", "metrics", "pairs", "few_shot")}
        told |= {key: found[key] for key in ("judge", "judged") if key in found}
        for part, said in (("few_shot", "reason"), ("judge", "trouble")):
            if told.get(part):
                told[part] = {**told[part], said: read_message(told[part], said) if told[part][said] else None}
        told["problems"] = [problem.to_json() for problem in folders.read_problems(folder)]
    return told
