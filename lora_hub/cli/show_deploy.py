"""How `deploy` is shown to people."""

from typing import Any

from lora_hub.cli.screen import Part, Table
from lora_hub.core.messages import Message, _, several

MB = 1e6
VISIBILITIES = {"public": _("public"), "private": _("private")}


def show_deployed(result: dict[str, Any]) -> list[Part]:
    """A plan with its files, or the address of what was deployed."""
    return show_plan(result) if result["dry_run"] else [result["url"]]


def show_plan(result: dict[str, Any]) -> list[Part]:
    files = Table([_("file"), _("bytes")], [[one["path"], one["bytes"]] for one in result["files"]])
    there = [] if result["new"] else [result["url"]]
    return [files, *_steps(result), *there]


def _steps(result: dict[str, Any]) -> list[Message]:
    place = {"repo": result["space"], "visibility": VISIBILITIES[result["visibility"]["becomes"]]}
    counted = {"count": len(result["sent"]), "files": len(result["files"]), "size": result["bytes"] / MB}
    steps = [
        _("{repo} would be made, {visibility}.", **place)
        if result["new"]
        else _("{repo} would be brought up to date, {visibility}.", **place),
        _("To be sent: {count:,} of these {files:,} files, which are {size:.1f} MB.", **counted),
    ]
    if result["removed"]:
        steps.append(_("Removed there: {names}.", names=several(result["removed"])))
    if result["kept"]:
        steps.append(_("Kept there: {names}.", names=several(result["kept"])))
    if result["variables"]:
        set_ = [f"{name}={value}" for name, value in result["variables"].items()]
        steps.append(_("Variables: {names}.", names=several(set_)))
    if result["secrets"]:
        steps.append(_("Secrets: {names}.", names=several(result["secrets"])))
    if result["hardware"]:
        steps.append(_("Hardware: {name}.", name=result["hardware"]))
    if result["bucket"]:
        steps.append(_("Storage: the bucket {name}.", name=result["bucket"]))
    return [*steps, _("Nothing was done: this was --dry-run.")]
