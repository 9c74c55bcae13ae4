"""The folder of a test: `$LORA_HUB_HOME/tests/<id>/{spec.json, events.jsonl, lock, log.txt, rows.jsonl, problems.json,
answers/, verdicts.jsonl, result.json}`. The only file of this room that knows where those lie.

rows.jsonl holds the rows as they were asked, `answers/<number>.jsonl` what the pane of that number answered, a line for
each row, verdicts.jsonl what a judge said; `result.json` is computed from them and can be computed again (`checking`).
"""

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_hub.compare.test_sets.nouns import TestRow, TestSpec, Verdict
from lora_hub.core import settings, store
from lora_hub.core.errors import RunError
from lora_hub.core.messages import _
from lora_hub.core.schema import Answer, Problem

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,120}")
# Of probabilities, decimal places that are kept; result.json is computed from what is kept.
PLACES = 6


def tests_dir() -> Path:
    return settings.home() / "tests"


def folder_of(test_id: str) -> Path:
    """Raises RunError where there is no test of this name."""
    folder = tests_dir() / test_id
    if not _ID.fullmatch(test_id) or not folder.is_dir():
        raise RunError(
            _("There is no test {test_id!r}."), _("`python -m lora_hub tests list` lists them."), test_id=test_id[:160]
        )
    return folder


def list_ids() -> list[str]:
    """All tests, newest first."""
    found = []
    for folder in tests_dir().glob("[!.]*"):
        if _ID.fullmatch(folder.name) and (folder / "spec.json").is_file():
            found.append(((folder / "spec.json").stat().st_mtime_ns, folder.name))
    return [name for _at, name in sorted(found, reverse=True)]


def new_id(task: str) -> str:
    return f"{task}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def make(spec: TestSpec, before_seen: Callable[[Path], Any]) -> Path:
    """The new folder of a test, which appears with its spec or not at all. before_seen: is called with it before."""
    folder = tests_dir() / spec.id
    making = folder.with_name(f".{spec.id}")
    try:
        with store.disk_errors(folder):
            making.mkdir(parents=True)
            store.write_json(making / "spec.json", spec.model_dump(mode="json"))
            before_seen(making)
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


def remove(test_id: str) -> None:
    folder = folder_of(test_id)
    gone = folder.with_name(f".{test_id}.gone")
    with store.disk_errors(folder):
        folder.rename(gone)
        shutil.rmtree(gone)


def read_spec(test_id: str) -> TestSpec:
    """Raises RunError where it is damaged."""
    path = folder_of(test_id) / "spec.json"
    try:
        return TestSpec.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(path) from error


def write_rows(folder: Path, rows: Iterable[TestRow]) -> None:
    kept = {"answers", "judgements"}
    store.write_jsonl(folder / "rows.jsonl", [row.model_dump(mode="json", exclude=kept) for row in rows])


def read_rows(folder: Path) -> list[TestRow] | None:
    """The rows without answers; None where they were not read yet. Raises RunError where they are damaged."""
    path = folder / "rows.jsonl"
    if not path.is_file():
        return None
    try:
        return [TestRow.model_validate_json(line) for line in path.read_bytes().splitlines()]
    except ValidationError as error:
        raise _damaged(path) from error


def write_problems(folder: Path, problems: list[Problem]) -> None:
    store.write_json(folder / "problems.json", [one.model_dump(mode="json") for one in problems])


def read_problems(folder: Path) -> list[Problem]:
    """What makes the scores less meaningful. Raises RunError where that is damaged."""
    path = folder / "problems.json"
    try:
        return [Problem.model_validate(one) for one in json.loads(path.read_bytes())] if path.is_file() else []
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error


def write_result(folder: Path, result: dict[str, Any]) -> None:
    store.write_json(folder / "result.json", result)


def write_answers(folder: Path, answers: dict[str, list[Answer]]) -> None:
    for number, (pane, of) in enumerate(answers.items()):
        lines: list[dict[str, Any]] = [{"pane": pane}]
        for answer in of:
            line: dict[str, Any] = {"text": answer.text, "tokens": answer.tokens, "finish": answer.finish}
            if answer.probabilities:
                line["probabilities"] = {label: round(p, PLACES) for label, p in answer.probabilities.items()}
            lines.append(line)
        store.write_jsonl(folder / "answers" / f"{number}.jsonl", lines)


def read_answers(folder: Path, rows: int) -> dict[str, list[Answer]]:
    """Everybody's answers, by pane in their order. Raises RunError where they are damaged or not as many as rows."""
    found: dict[str, list[Answer]] = {}
    for path in sorted((folder / "answers").glob("*.jsonl"), key=lambda path: int(path.stem)):
        try:
            first, *lines = path.read_bytes().splitlines()
            answers = [Answer.model_validate_json(line) for line in lines]
            found[str(json.loads(first)["pane"])] = answers
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path) from error
        if len(answers) != rows:
            raise _damaged(path)
    return found


def write_verdicts(folder: Path, verdicts: Iterable[Verdict]) -> None:
    store.write_jsonl(
        folder / "verdicts.jsonl", [one.model_dump(mode="json", exclude_defaults=True) for one in verdicts]
    )


def read_verdicts(folder: Path) -> list[Verdict] | None:
    """What the judge said; None without one. Raises RunError where that is damaged."""
    path = folder / "verdicts.jsonl"
    try:
        return (
            [Verdict.model_validate_json(line) for line in path.read_bytes().splitlines()] if path.is_file() else None
        )
    except ValidationError as error:
        raise _damaged(path) from error


def read_result(folder: Path) -> dict[str, Any] | None:
    """None before there is one. Raises RunError where it is damaged."""
    path = folder / "result.json"
    try:
        return dict(json.loads(path.read_bytes())) if path.is_file() else None
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> RunError:
    return RunError(_("{path} is damaged."), _("Delete the test and run it again."), path=path)
