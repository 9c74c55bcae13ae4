"""A run whose history, `events.jsonl`, is damaged: what is missing, and what the run's folder still knows.

why_damaged(run, folder)     in words; None where the history is whole, as far as can be seen
restore(run, folder)         the run, completed from its adapter's record, lora_hub.json
heal(run, log)               writes that into the history, so that a run that is resumed goes on from there"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.events import Folding
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Run
from lora_hub.hub.adapter_config import RECORD_FILE, WEIGHTS_FILE

# What an adapter's record says of its run, as a run has it.
RESTORED = (
    "file_rows",
    "train_rows",
    "validation_rows",
    "eval_rows",
    "left_out",
    "metrics",
    "comparison",
    "adapter_folder",
    "best_step",
)
COUNTS = RESTORED[:5]


def why_damaged(run: Run, folder: Path) -> Message | None:
    """What is wrong with the history of a run that no process works on and whose history does not say how it ended."""
    file = folder / "events.jsonl"
    if not run.last_event:
        if not file.exists():
            return _("its events.jsonl is missing")
        if not file.stat().st_size:
            return _("its events.jsonl is empty")
        return _("nothing in its events.jsonl can be read")
    if run.end_unread:
        return _("the last lines of its events.jsonl cannot be read")
    return None


def restore(run: Run, folder: Path) -> Run:
    """The run with adapter and scores from its adapter's record, which is written after the exam, where the history
    lacks them; else the run unchanged."""
    if run.adapter_folder and run.metrics:
        return run
    told = _told(run, folder)
    if told is None:
        return run
    why = why_damaged(run, folder) or _("its events.jsonl does not tell of them")
    note = _(
        (
            "This run's history is damaged: {why}. Its adapter and scores are shown from {record}, which lies beside "
            "the "
            "adapter."
        ),
        why=why,
        record=RECORD_FILE,
    )
    found = {key: getattr(told, key) for key in RESTORED}
    return run.model_copy(update={**found, "notes": (*run.notes, note)})


def heal(told: Run, restored: Run, append: Callable[..., Any]) -> None:
    """Appends the events that `restore` found to be missing. told: the run as its history has it."""
    if told.adapter_folder == restored.adapter_folder and bool(told.metrics) == bool(restored.metrics):
        return
    data = restored.model_dump(mode="json", include={*RESTORED})
    append("exam", **{key: data[key] for key in (*COUNTS, "metrics", "comparison")})
    append("adapter", folder=data["adapter_folder"], best_step=data["best_step"])


def _told(run: Run, folder: Path) -> Run | None:
    """The run as the adapter's record describes it, folded as its events would have been; None where there is no
    readable record of this run."""
    try:
        record = json.loads((folder / store.ADAPTER / RECORD_FILE).read_bytes())
        if record["run"] != run.id or not (folder / store.ADAPTER / WEIGHTS_FILE).is_file():
            return None
        counts = {key: record["dataset"][key] for key in COUNTS if key in record["dataset"]}
        events = [
            ("exam", {**counts, "metrics": record["metrics"], "comparison": record.get("comparison")}),
            ("adapter", {"folder": store.ADAPTER, "best_step": record["best_step"]}),
        ]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):  # the history's damage is told by whoever asked
        return None
    folding = Folding()
    for kind, data in events:
        folding.add({"kind": kind, "data": data, "at": run.last_event})
    found = folding.run(run.id, run.spec)
    return found if found.metrics and found.adapter_folder else None


def last_checkpoint(folder: Path) -> int:
    """The step of the last checkpoint on the disk, for a run whose history does not tell it; 0 where there is none that
    says so."""
    found = (folder / store.CHECKPOINTS).glob("checkpoint-*/trainer_state.json")
    return max((int(number) for path in found if (number := path.parent.name.rpartition("-")[2]).isdigit()), default=0)
