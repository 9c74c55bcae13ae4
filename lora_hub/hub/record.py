"""`lora_hub.json`, the record that travels with an adapter: how it is to be asked, what it was made from, what it
scored.

It lies beside PEFT's files in a run's folder and in the published repo alike. The rows themselves are never in it, and
neither is where the base lay on somebody's disk.
"""

import math
import re
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from pydantic import BaseModel as Pydantic

from lora_hub.core.errors import AdapterError, damage_of
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import (
    MOST_FILES,
    MOST_PARTS,
    BaseModel,
    Calibration,
    DatasetInfo,
    Mend,
    PairedComparison,
    Score,
    Scores,
    Task,
    TrainSpec,
    scores_json,
)
from lora_hub.evaluation.metrics import METRICS
from lora_hub.hub.adapter_config import RECORD_FILE, RECORD_VERSION

LIBRARIES = ("torch", "transformers", "peft", "trl", "datasets", "huggingface_hub")

# What became of the rows, beside what a dataset is.
COUNTS = ("file_rows", "train_rows", "validation_rows", "eval_rows", "left_out")


# Of a task that a stranger wrote. All of its labels are weighed for each question, by everybody's model.
MOST_LABELS, LONGEST_LABEL, MOST_LABEL_CHARACTERS = 2_000, 1_000, 100_000
MOST_INPUTS = 100
LONGEST_FINGERPRINT = 128


class Parts(Pydantic):
    """What others read of a record. It may have more: that is whoever wrote it's own."""

    task: Task
    base: BaseModel
    dataset: dict[str, Any]
    spec: dict[str, Any]
    metrics: dict[str, dict[str, Score]]
    calibrations: dict[str, Calibration] = {}
    mends: tuple[Mend, ...] = ()


def parts_of(record: dict[str, Any], is_own: bool = False) -> Parts:
    """The parts of a record that anybody may have written. is_own: a run of ours did, whose labels are as many as its
    data has. Raises pydantic's ValidationError, or a ValueError with a message, where one is not what it should be."""
    dataset = record.get("dataset")
    mends = dataset.get("mends", ()) if isinstance(dataset, dict) else ()
    named = {key: record[key] for key in Parts.model_fields if key in record}
    parts = Parts.model_validate({**named, "mends": mends})
    if not is_own:
        _check_labels(parts.task.labels)
    _check_task(parts.task)
    for who, of in parts.calibrations.items():
        if not all(map(math.isfinite, (of.scale, *of.offsets))):  # a base corrected by them would answer nothing
            raise ValueError(_("the calibration of {who!r} holds values that are not numbers", who=who))
        if len(of.offsets) != len(parts.task.labels):
            raise ValueError(
                _(
                    "the calibration of {who!r} has {count} numbers for {labels} labels",
                    who=who,
                    count=len(of.offsets),
                    labels=len(parts.task.labels),
                )
            )
    return parts


def damaged_record(repo: str, error: Exception, advice: Message | None = None) -> AdapterError:
    """What is told of a record that a part could not be read of. repo: or the name that the adapter has here. advice:
    instead of publishing it again."""
    return AdapterError(
        _("The {file} of {repo} is damaged: {reason}."),
        advice or _("Publish the adapter again from its run."),
        file=RECORD_FILE,
        repo=repo,
        reason=damage_of(error),
    )


def files_of(record: dict[str, Any]) -> tuple[str, ...]:
    """Fingerprints of the files whose rows a record, which anybody may have written, says were trained on."""
    dataset = record.get("dataset")
    if not isinstance(dataset, dict):
        return ()
    parts = dataset.get("parts")
    named = [dataset, *(parts[:MOST_PARTS] if isinstance(parts, list) else ())]
    return _fingerprints(one.get("fingerprint") for one in named if isinstance(one, dict))


def files_before(record: dict[str, Any]) -> tuple[str, ...]:
    """`files_of` of the adapters that an adapter goes on from, as its record names them."""
    spec = record.get("spec")
    parent = spec.get("parent") if isinstance(spec, dict) else None
    files = parent.get("files") if isinstance(parent, dict) else None
    return _fingerprints(files[:MOST_FILES] if isinstance(files, list) else ())


def _fingerprints(found: Iterable[Any]) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str) and 0 < len(one) <= LONGEST_FINGERPRINT)


def _check_labels(labels: tuple[str, ...]) -> None:
    """Raises ValueError for labels that would take everybody's time."""
    if len(labels) > MOST_LABELS or sum(map(len, labels)) > MOST_LABEL_CHARACTERS:
        raise ValueError(
            _(
                "the task has {count:,} labels of together {characters:,} characters",
                count=len(labels),
                characters=sum(map(len, labels)),
            )
        )
    for label in labels:
        if not label.strip() or len(label) > LONGEST_LABEL:
            raise ValueError(_("the task has a label of {count:,} characters", count=len(label)))
    if len(set(labels)) < len(labels):
        raise ValueError(_("the task names a label twice"))


def _check_task(task: Task) -> None:
    """Raises ValueError for a task that nobody could ask or score an adapter by."""
    if len(set(task.inputs)) < len(task.inputs) or len(task.inputs) > MOST_INPUTS:
        raise ValueError(_("the task names an input twice, or more than {most}", most=MOST_INPUTS))
    if not task.metrics:
        raise ValueError(_("the task names no metric"))
    for name in task.metrics:
        if name not in METRICS:
            raise ValueError(_("the task names the metric {name!r}, which there is not", name=name[:60]))


def make_record(
    spec: TrainSpec,
    task: Task,
    run_id: str,
    scores: dict[str, Scores],
    counts: dict[str, int],
    best_step: int,
    comparison: PairedComparison | None = None,
    asking: dict[str, Any] | None = None,
    *,
    calibrations: dict[str, Calibration] | None = None,
    examples_shown: int = 0,
    parent_comparison: PairedComparison | None = None,
    general: PairedComparison | None = None,
) -> dict[str, Any]:
    """The record of a run. scores: {"base": ..., "adapter": ...} in per cent. counts: what became of
    every row (`run_data.count_rows`). comparison: adapter against base on the same rows. asking: what `exam.asking`
    says. calibrations: of whom there is one, so that whoever asks again gets the same label. examples_shown: how many
    examples stood before the question of "base_examples". parent_comparison: against the adapter that it goes on
    from. general: against the base on general
    questions."""
    record = {
        "version": RECORD_VERSION,
        "run": run_id,
        "task": task.model_dump(mode="json"),
        "base": public_base(spec.base).model_dump(mode="json"),
        "dataset": {
            **spec.dataset.model_dump(mode="json", exclude={"problems", "source", "lengths", "owner"}),
            "mapping": spec.mapping,
            **counts,
        },
        "report": make_report(spec.dataset),
        "spec": spec.model_dump(
            mode="json",
            exclude={"task": True, "base": True, "dataset": True, "mapping": True, "test_dataset": {"owner"}},
        ),
        "metrics": scores_json(scores),
        "comparison": comparison.model_dump(mode="json") if comparison else None,
        **({"parent_comparison": parent_comparison.model_dump(mode="json")} if parent_comparison else {}),
        **({"forgotten": general.model_dump(mode="json")} if general else {}),
        "calibrations": {who: of.model_dump(mode="json") for who, of in (calibrations or {}).items()},
        "examples_shown": examples_shown,
        "best_step": best_step,
        **({"asking": asking} if asking else {}),
        "libraries": library_versions(),
    }
    return without_place(record, spec.base)


def make_report(info: DatasetInfo) -> dict[str, Any]:
    """What the pre-flight found, as counts: no row and no text of the data is in it."""
    return {
        "rows": info.rows,
        "problems": [
            {"code": problem.code, "severity": problem.severity, "count": problem.count} for problem in info.problems
        ],
        "lengths": info.lengths.model_dump(mode="json") if info.lengths else None,
    }


def public_base(base: BaseModel) -> BaseModel:
    """The base without its place on this disk; a folder's last part is its name."""
    is_path = bool(base.folder) and (
        base.id.startswith(("/", ".", "~")) or "\\" in base.id or re.match("[A-Za-z]:", base.id) is not None
    )
    return base.model_copy(
        update={"folder": "", "id": re.split(r"[\\/]", base.id.rstrip("\\/"))[-1] if is_path else base.id}
    )


def without_place(value: Any, base: BaseModel) -> Any:
    """The value (anything that JSON holds) with the base's name wherever its place on this disk stood."""
    name = public_base(base).id
    places = sorted(
        {place.rstrip("/\\") for place in (base.folder, base.id) if place != name and re.search(r"[\\/].", place)},
        key=len,
        reverse=True,
    )

    def named(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: named(inner) for key, inner in one.items()}
        if isinstance(one, list | tuple):
            return [named(inner) for inner in one]
        if isinstance(one, str):
            for place in places:
                one = one.replace(place, name)
        return one

    return named(value) if places else value


def library_versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in LIBRARIES}
