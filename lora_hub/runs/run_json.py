"""A run as `--json` prints it and programs get it, with sentences in English; people read the same in their
language."""

import math
from typing import Any

from lora_hub.core import store
from lora_hub.core.messages import Message
from lora_hub.core.schema import Run, scores_json
from lora_hub.runs import run_phases, run_states
from lora_hub.runs.hiring import tell_spent


def run_row(run: Run) -> dict[str, Any]:
    """A run as `runs --json` lists it. says: what its state means, why, and what comes next."""
    return {
        "run": run.id,
        "name": run.name,
        "tags": list(run.tags),
        "state": run.state.value,
        "task": run.spec.task.id,
        "base": run.spec.base.id,
        "step": run.step,
        "total_steps": run.total_steps,
        "created": run.created,
        "seconds": round(run.seconds, 1),
        "adapter": run.adapter.repo_id if run.adapter else "",
        "error": failure_json(run),
        **run_now(run),
    }


def run_now(run: Run) -> dict[str, Any]:
    """What a run is doing, as JSON. newer: it only looks damaged because a newer version wrote it. queue: its place
    there, the runs before it and how many may train at once."""
    return {
        "phase": run.phase,
        "says": run_states.describe(run),
        "late": run_phases.how_late(run) is not None,
        "cancelling": run.cancelling,
        "newer": run.is_newer,
        "attempt": run.attempt,
        "stopped": run.stopped,
        "queue": run.waits.model_dump(mode="json") if run.waits else None,
    }


def failure_json(run: Run) -> dict[str, Message] | None:
    """A run's failure; None if it has none."""
    return {"message": run.error.said, "hint": run.error.advice} if run.error else None


def run_details(run: Run, missing: Message | None = None) -> dict[str, Any]:
    """All that is known of a run. missing: which of its held-out rows cannot be read."""
    return {
        **run_result(run),
        "name": run.name,
        "tags": list(run.tags),
        "step": run.step,
        "total_steps": run.total_steps,
        "eta": run.eta,
        **run_now(run),
        "failure": failure_json(run),
        **rows_missing(missing),
    }


def run_result(run: Run) -> dict[str, Any]:
    """The keys of `train`: run, state, adapter, revision, base, seconds, the rows (file_rows = train_rows +
    validation_rows + eval_rows + left_out), metrics, comparison, general (against the base on general
    questions: what was forgotten), files (scores by file, where several are one dataset), notes, stopped (why before
    the last step: "patience", "learnt" or "")."""
    folder = str(store.run_folder(run.id) / run.adapter_folder) if run.adapter_folder else ""
    return {
        "run": run.id,
        "state": run.state.value,
        "adapter": run.adapter.repo_id if run.adapter else folder,
        "revision": run.adapter.revision if run.adapter else "",
        "base": run.spec.base.id,
        "seconds": round(run.seconds, 1),
        "file_rows": run.file_rows,
        "train_rows": run.train_rows,
        "validation_rows": run.validation_rows,
        "eval_rows": run.eval_rows,
        "left_out": run.left_out,
        "metrics": scores_json(run.metrics),
        "comparison": run.comparison.model_dump(mode="json") if run.comparison else None,
        "general": run.general.model_dump(mode="json") if run.general else None,
        **({"files": [part.model_dump(mode="json") for part in run.parts]} if run.parts else {}),
        **_sweep_json(run),
        **_parent_json(run),
        "notes": list(run.notes),
        "stopped": run.stopped,
        **hired_json(run),
    }


def _sweep_json(run: Run) -> dict[str, Any]:
    """sweep: the settings that were tried, each with its lowest validation loss, and the place of the one that was
    kept (None: not known yet). No key for a run of one."""
    if run.sweep is None:
        return {}
    tried = [
        {
            **one.model_dump(include={"lr", "r", "alpha"}),
            "loss": one.best_loss if math.isfinite(one.best_loss) else None,
        }
        for one in run.sweep.candidates
    ]
    return {"sweep": {"tried": tried, "kept": run.sweep.chosen if run.sweep.chosen >= 0 else None}}


def _parent_json(run: Run) -> dict[str, Any]:
    """parent: the adapter that it goes on from; parent_comparison: the paired test against it, None before the exam. No
    key for a run that goes on from none."""
    if run.spec.parent is None:
        return {}
    found = run.parent_comparison
    return {
        "parent": {"name": run.spec.parent.name, **run.spec.parent.model_dump(mode="json", exclude={"files"})},
        "parent_comparison": found.model_dump(mode="json") if found else None,
    }


def hired_json(run: Run) -> dict[str, Any]:
    """hired: hardware, dollars an hour, the estimate and what it took; no key for a run of this machine."""
    if run.hired is None:
        return {}
    keys = ("flavor", "hourly", "expected_seconds", "expected_dollars", "most_seconds", "namespace", "job", "url")
    keys += ("shared_by",)
    told = run.hired.model_dump(mode="json", include={*keys})
    took = {"seconds": round(run.hired.seconds, 1), "dollars": run.hired.dollars}
    return {"hired": {**told, **took, "spent": tell_spent(run.hired) or ""}}


def rows_missing(missing: Message | None) -> dict[str, Message | str]:
    """Which of a run's held-out rows cannot be read, in words; empty if all can."""
    return {"rows_missing": missing or ""}
