"""What publishing a run would do, before it is done: the version that it becomes, and what that version differs in.

    planned = plan_publication(run, org="lora-hub")
    planned.version, planned.before       "v2", "v1"; ("v1", "") where there is no such repo yet
    planned.differences                   task, base, data, settings and scores that are not those of the version before

It asks the Hub and changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lora_hub.core import settings, store
from lora_hub.core.errors import AdapterError
from lora_hub.core.schema import Run
from lora_hub.core.spec_fields import FIELDS, shown


@dataclass(frozen=True)
class Difference:
    """kind: "task", "labels", "base", "data", "setting" or "score". name: a field's key (`spec_fields.FIELDS`) or a
    metric; before, now: as they are shown, scores in per cent."""

    kind: str
    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Publication:
    """version: the one that publishing makes. before: the newest one there is, empty where there is none. is_same: the
    newest version is this very run. other_rows: the scores of both are of different test rows. has_record: the version
    before says what it was made from; where it does not, no difference can be told. more_labels, fewer_labels: those
    that the version before does not answer with, and those that only it does. by_pull_request: this account may only
    propose it, and somebody else takes it over."""

    repo_id: str
    version: str
    before: str = ""
    is_same: bool = False
    has_record: bool = True
    other_rows: bool = False
    differences: tuple[Difference, ...] = ()
    more_labels: tuple[str, ...] = ()
    fewer_labels: tuple[str, ...] = ()
    by_pull_request: bool = False

    @property
    def is_another(self) -> bool:
        """Whether who uses the repo by its name would get answers of another kind: another task's, or other labels."""
        return any(one.kind in ("task", "labels") for one in self.differences)


def plan_publication(run: Run, *, org: str | None = "", name: str | None = "", asks_first: bool = False) -> Publication:
    """Looks at the repo that the run would be published to. Raises HubError (a name that is none, an organization that
    this account may not publish to, the Hub down) and AdapterError (the record of the version before is damaged). org,
    name: empty or None for the run's own. asks_first: whether this account may write there is asked, too."""
    from lora_hub import hub
    from lora_hub.hub import repo_name

    owner = (org or "").strip() or settings.organization()
    repo_id = f"{owner}/{repo_name(run.spec, (name or '').strip())}"
    try:
        numbers = [one.number for one in hub.list_versions(repo_id) if one.number]
    except AdapterError:  # there is no such repo: nothing is promised where none may be made
        hub.check_publishing(run.spec, org=owner, name=(name or "").strip())
        return Publication(repo_id, "v1")
    claim = hub.check_publishing(run.spec, org=owner, name=(name or "").strip()) if asks_first else None
    proposes = claim is not None and claim.by_pull_request
    if not numbers:
        return Publication(repo_id, "v1", by_pull_request=proposes)
    before, version = f"v{numbers[0]}", f"v{numbers[0] + 1}"
    record = hub.fetch_record(repo_id, before)
    if record is None:
        return Publication(repo_id, version, before, has_record=False, by_pull_request=proposes)
    if record.get("run") == run.id:
        return Publication(repo_id, before, before, is_same=True)
    then, now = _labels(_part(record, "task")), _labels(_part(_own_record(run), "task"))
    both = then and now
    return Publication(
        repo_id,
        version,
        before,
        by_pull_request=proposes,
        other_rows=_scored_rows(record) != _rows_of(run),
        differences=tuple(find_differences(record, run)),
        more_labels=tuple(label for label in now if label not in then) if both else (),
        fewer_labels=tuple(label for label in then if label not in now) if both else (),
    )


def find_differences(record: dict[str, Any], run: Run) -> Iterator[Difference]:
    """What a record (`hub.make_record`) and a run do not have in common, in the order in which it matters."""
    spec = run.spec.model_dump(mode="json")
    task = _part(record, "task")
    if task.get("id") != run.spec.task.id:
        yield Difference("task", "task", _title(task), run.spec.task.title.en)
    labels, ours = _labels(task), _labels(_part(_own_record(run), "task"))
    if labels and ours and {*labels} != {*ours}:
        yield Difference("labels", "labels", ", ".join(labels), ", ".join(ours))
    then, now = _part(record, "base").get("id", ""), run.spec.base.id
    if str(then).rpartition("/")[2] != now.rpartition("/")[2]:
        yield Difference("base", "base", str(then), now)
    for key, label in (("dataset", "data"), ("test_dataset", "test")):
        old = _part(record, "dataset") if key == "dataset" else _part(_part(record, "spec"), "test_dataset")
        new = _part(spec, key)
        if _which_rows(old) != _which_rows(new):
            yield Difference("data", label, _file(old), _file(new))
    for field in FIELDS:
        old_value, new_value = _at(_part(record, "spec"), field.key), _at(spec, field.key)
        if old_value != new_value and old_value is not None:
            yield Difference("setting", field.key, shown(old_value), shown(new_value))
    old_scores, new_scores = _part(_part(record, "metrics"), "adapter"), run.metrics.get("adapter", {})
    # A score of another task says nothing of this one.
    for metric in run.spec.task.metrics if task.get("id") == run.spec.task.id else ():
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


def _own_record(run: Run) -> Any:
    """The record of the run's own adapter; None where its folder is not here."""
    from lora_hub import hub

    if run.id not in store.list_run_ids():
        return None
    return hub.read_adapter_record(store.run_folder(run.id) / run.adapter_folder)


def _labels(task: dict[str, Any]) -> list[str]:
    labels = task.get("labels")
    return [*map(str, labels)] if isinstance(labels, list) else []


def _title(task: dict[str, Any]) -> str:
    return str(_part(task, "title").get("en") or task.get("id") or "")


def _which_rows(info: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two datasets one and the same: the file, what of it is read, and what is mended."""
    return tuple(info.get(key) for key in ("fingerprint", "sheet", "rows", "mends"))


def _file(info: dict[str, Any]) -> str:
    return f"{info.get('name', '')} ({info.get('rows', 0):,})" if info else ""


def _scored_rows(record: dict[str, Any]) -> tuple[Any, ...]:
    """What decides which rows were scored: the task, the file as it is read and mended, the split where the file has no
    test part of its own, and how many rows were scored. `max_held_out` decides only where it was reached."""
    data, spec = _part(record, "dataset"), _part(record, "spec")
    scored, most = data.get("eval_rows"), spec.get("max_held_out")
    task, tested = _part(record, "task").get("id"), _part(spec, "test_dataset")
    if tested:  # all of it, whatever was trained on
        return task, _which_rows(tested), spec.get("test_mapping"), scored
    file = _which_rows(data)
    if data.get("test_rows"):  # the file's own test part, all of it: it is not drawn
        return task, file, data.get("mapping"), scored
    return (
        task,
        file,
        data.get("mapping"),
        spec.get("seed"),
        spec.get("held_out"),
        scored,
        most if scored == most else None,
    )


def _rows_of(run: Run) -> tuple[Any, ...]:
    spec = run.spec.model_dump(mode="json")
    data = {**_part(spec, "dataset"), "mapping": spec["mapping"], "eval_rows": run.eval_rows}
    return _scored_rows({"task": spec["task"], "dataset": data, "spec": spec})
