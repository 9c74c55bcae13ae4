"""What publishing a run would do, before it is done: the version that it becomes, and what that version differs in.

    planned = plan_publication(run, org="lora-hub")
    planned.version, planned.before            "v2", "v1"; ("v1", "") where there is no such repo yet
    planned.differences                        base, data, settings and scores that are not those of the version before

It asks the Hub and changes nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lora_hub.core import settings
from lora_hub.core.errors import AdapterError
from lora_hub.core.schema import Run
from lora_hub.core.spec_fields import FIELDS, shown


@dataclass(frozen=True)
class Difference:
    """kind: "base", "data", "setting" or "score". name: a field's key (`spec_fields.FIELDS`) or a metric; before, now: as they are
    shown, scores in per cent."""

    kind: str
    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Publication:
    """version: the one that publishing makes. before: the newest one there is, empty where there is none. is_same: the newest
    version is this very run. other_rows: the scores of both are of different test rows. has_record: the version before says
    what it was made from; where it does not, no difference can be told."""

    repo_id: str
    version: str
    before: str = ""
    is_same: bool = False
    has_record: bool = True
    other_rows: bool = False
    differences: tuple[Difference, ...] = ()


def plan_publication(run: Run, *, org: str = "", name: str = "") -> Publication:
    """Looks at the repo that the run would be published to. Raises HubError (a name that is none, the Hub down) and AdapterError
    (the record of the version before is damaged)."""
    from lora_hub import hub
    from lora_hub.hub import naming

    repo_id = f"{org.strip() or settings.organization()}/{naming.repo_name(run.spec, name.strip())}"
    try:
        numbers = [int(one.tag[1:]) for one in hub.list_versions(repo_id) if re.fullmatch(r"v[1-9]\d*", one.tag)]
    except AdapterError:
        return Publication(repo_id, "v1")  # there is no such repo
    if not numbers:
        return Publication(repo_id, "v1")
    before, version = f"v{max(numbers)}", f"v{max(numbers) + 1}"
    record = hub.fetch_record(repo_id, before)
    if record is None:
        return Publication(repo_id, version, before, has_record=False)
    if record.get("run") == run.id:
        return Publication(repo_id, before, before, is_same=True)
    return Publication(repo_id, version, before, other_rows=_scored_rows(record) != _rows_of(run), differences=tuple(find_differences(record, run)))


def find_differences(record: dict[str, Any], run: Run) -> Iterator[Difference]:
    """What a record (`record.make_record`) and a run do not have in common, in the order in which it matters."""
    spec = run.spec.model_dump(mode="json")
    then, now = _part(record, "base").get("id", ""), run.spec.base.id
    if str(then).rpartition("/")[2] != now.rpartition("/")[2]:
        yield Difference("base", "base", str(then), now)
    for key, label in (("dataset", "data"), ("test_dataset", "test")):
        old = _part(record, "dataset") if key == "dataset" else _part(_part(record, "spec"), "test_dataset")
        new = _part(spec, key)
        if any(old.get(one) != new.get(one) for one in ("fingerprint", "rows", "sheet", "mends")):
            yield Difference("data", label, _file(old), _file(new))
    for field in FIELDS:
        old_value, new_value = _at(_part(record, "spec"), field.key), _at(spec, field.key)
        if old_value != new_value and old_value is not None:
            yield Difference("setting", field.key, shown(old_value), shown(new_value))
    old_scores, new_scores = _part(_part(record, "metrics"), "adapter"), run.metrics.get("adapter", {})
    for metric in run.spec.task.metrics:
        if metric in new_scores and isinstance(old_scores.get(metric), dict):
            before, after = f"{float(old_scores[metric].get('value', 0)):.1f}", f"{new_scores[metric].value:.1f}"
            if before != after:
                yield Difference("score", metric, before, after)


def _part(data: Any, key: str) -> dict[str, Any]:
    """A dictionary inside another; empty where it is none, as in a record that somebody else wrote."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _at(data: dict[str, Any], key: str) -> Any:
    """The value of a dotted path."""
    *path, last = key.split(".")
    for part in path:
        data = _part(data, part)
    return data.get(last)


def _file(info: dict[str, Any]) -> str:
    return f"{info.get('name', '')} ({info.get('rows', 0):,})" if info else ""


def _scored_rows(record: dict[str, Any]) -> tuple[Any, ...]:
    """What decides which rows the scores are of: the file, its split and the test file."""
    data, spec = _part(record, "dataset"), _part(record, "spec")
    return data.get("fingerprint"), _part(spec, "test_dataset").get("fingerprint"), spec.get("seed"), spec.get("held_out"), spec.get("max_held_out")


def _rows_of(run: Run) -> tuple[Any, ...]:
    spec = run.spec
    tested = spec.test_dataset.fingerprint if spec.test_dataset else None
    return spec.dataset.fingerprint, tested, spec.seed, spec.held_out, spec.max_held_out

