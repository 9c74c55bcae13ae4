"""A finding: shown in any language, stored as JSON, and read from what older versions wrote."""

import json
import re
from pathlib import Path

import polars
import pytest
from pydantic import ValidationError

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import DatasetInfo, Problem
from lora_hub.data.inspector import inspect_file
from lora_hub.data.tables.findings import finding


def test_a_finding_is_kept_with_its_sentences_and_told_in_english_beside_them() -> None:
    said = _n(
        "{count:,} row without an answer in {column!r} will be left out.",
        "{count:,} rows without an answer in {column!r} will be left out.",
        count=2,
        column="v1",
    )
    problem = finding(
        "empty-answers", "warning", said, hint=_("Fill them in, or take another column as the answer."), rows=[3, 5]
    ).problem
    assert problem.message == "2 rows without an answer in 'v1' will be left out." and problem.said.fa.startswith(
        "۲ سطر در ستون «v1»"
    )
    written = json.loads(problem.model_dump_json())
    assert written["message"] == problem.message and written["hint"] == problem.hint
    assert Problem.model_validate(written) == problem


def test_programs_get_english_texts_and_no_other_language() -> None:
    problem = finding(
        "labels", "info", _("{count:,} classes: {labels}.", count=2, labels=several("ab")), count=2
    ).problem
    assert problem.to_json() == {
        "code": "labels",
        "severity": "info",
        "message": "2 classes: a, b.",
        "hint": "",
        "rows": [],
        "count": 2,
        "mends": [],
        "task": "",
    }


def test_what_older_versions_wrote_is_read() -> None:
    older = {
        "code": "few-rows",
        "severity": "warning",
        "message": "3 rows are very few.",
        "hint": "Bring more.",
        "rows": [1],
        "count": 3,
        "message_fa": "۳ سطر کم است.",
        "hint_fa": "",
        "mends": [],
        "task": "",
    }
    problem = DatasetInfo.model_validate(
        {"fingerprint": "0" * 16, "name": "a.csv", "rows": 3, "columns": ["a"], "format": "csv", "problems": [older]}
    ).problems[0]
    assert problem.message == "3 rows are very few." and problem.hint == "Bring more."
    assert problem.said.in_language("fa") == "۳ سطر کم است." and problem.advice.in_language("fa") == "Bring more."
    assert Problem.model_validate_json(problem.model_dump_json()) == problem
    with pytest.raises(ValidationError):
        Problem.model_validate({**older, "colour": "red"})
    with pytest.raises(ValidationError):
        Problem.model_validate({"code": "few-rows", "severity": "warning"})


def test_a_finding_is_one_file(tmp_path: Path, monkeypatch) -> None:
    """The one that CONTRIBUTING.md shows, as it stands there."""
    import lora_hub.data.checks as room

    guide = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(\"\"\"lora_hub/data/checks/check_shouting.*?)```", guide, re.DOTALL)[1]
    (tmp_path / "check_shouting.py").write_text(code, encoding="utf-8")
    file = tmp_path / "rows.csv"
    rows = [f"{('hello', 'HELLO')[number % 20 == 3]} number {number}" for number in range(60)]
    rows = [row.upper() if "HELLO" in row else row for row in rows]
    polars.DataFrame({"text": rows, "label": ["a", "b"] * 30}).write_csv(file)

    def told() -> dict:
        return {problem.code: problem for problem in inspect_file(file, get_task("topic")).problems}

    assert "shouting" not in told()
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    assert told()["shouting"].rows == (4, 24, 44)
    assert told()["shouting"].message == "3 rows are in capital letters only."
