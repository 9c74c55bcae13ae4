"""How `datasets`, `disk` and `delete` are shown to people."""

from typing import Any

from lora_hub.cli.screen import Part, Table
from lora_hub.core.messages import Message, _, _n

# The parts of the disk, by `use_cases.Part.kind`.
PARTS = {
    "checkpoints": _("checkpoints of runs that have succeeded"),
    "needed checkpoints": _("checkpoints of runs that can be resumed"),
    "adapters": _("trained adapters"),
    "run files": _("logs and held-out rows of runs"),
    "tests": _("test sets with their answers"),
    "datasets": _("datasets"),
    "comparisons": _("comparisons and votes"),
    "hub": _("the embedded Hub"),
    "cache": _("bases and adapters from the Hub"),
    "uploads": _("uploads that are no dataset yet"),
    "other": _("other files"),
}
# What `disk clean` removes.
REMOVED = {
    "checkpoints": _("checkpoints of runs that have succeeded"),
    "leftovers": _("files that were left half done"),
    "unused files": _("files that no run uses"),
    "cached adapters": _("copies of adapters that nobody asked"),
}


def show_datasets(result: dict[str, Any]) -> list[Part]:
    if not result["datasets"]:
        return [_("No files here.")]
    rows = [[one["dataset"], _size(one["bytes"]), ", ".join(one["runs"][:3])] for one in result["datasets"]]
    return [Table([_("dataset"), _("size"), _("runs")], rows)]


def show_disk(result: dict[str, Any]) -> list[Part]:
    removed = [_("removed: {what} ({count})", what=REMOVED[kind], count=n) for kind, n in result["removed"].items()]
    place = {"home": result["home"], "free": _size(result["free"])}
    rows = [
        [PARTS[part["kind"]], part["owner"], _size(part["bytes"]), part["remove"].removeprefix("python -m lora_hub ")]
        for part in result["parts"]
    ]
    told: list[Part] = [
        *removed,
        _("{size} in {home}; its disk has {free} left.", size=_size(result["bytes"]), **place),
        Table([_("what"), _("whose"), _("size"), _("removed by")], rows),
    ]
    if cache := result["cache"]:
        size = {"size": _size(cache["bytes"]), "folder": cache["folder"]}
        told.append(_("{size} in the Hub client's cache {folder}, which other programs share.", **size))
    return told


def show_deleted(result: dict[str, Any]) -> list[Part]:
    gone: list[Message | str] = [*result["runs"], *result["datasets"], *result["adapters"], *result["tests"]]
    if result["comparisons"]:
        gone.append(_n("{count:,} comparison", "{count:,} comparisons", count=result["comparisons"]))
    return [_("deleted: {name}", name=name) for name in gone] or [_("There was nothing to delete.")]


def _size(count: int) -> Message:
    return _("{count:,.1f} MB", count=count / 1e6)
