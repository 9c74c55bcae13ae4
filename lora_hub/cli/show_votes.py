"""How `votes` and `comparisons` are shown to people."""

from datetime import UTC, datetime
from typing import Any

from lora_hub.cli.screen import Indented, Part, Table
from lora_hub.compare import votes
from lora_hub.core.messages import Message, _, _n, several


def show_votes(result: dict[str, Any]) -> list[Part]:
    if "rows" in result:
        return [_n("{count:,} row in {file}", "{count:,} rows in {file}", count=result["rows"], file=result["file"])]
    if "sent" in result:
        return [
            _n(
                "{count:,} vote is in the organization's repo.",
                "{count:,} votes are in the organization's repo.",
                count=result["sent"],
            )
        ]
    told: list[Part] = []
    if result["trouble"]:
        told.append(_("Only this app's votes count here: {why}", why=result["trouble"]))
    if result["waiting"]:
        told.append(votes.describe_waiting(result["waiting"]))
    if not result["boards"] and result["waiting"]:
        return told
    if not result["boards"]:
        return [*told, _("No votes yet. Compare with Blind turned on, and vote.")]
    for board in result["boards"]:
        told += _board(board)
    return told


def _board(board: dict[str, Any]) -> list[Part]:
    counted = _n("{count:,} vote", "{count:,} votes", count=board["votes"])
    title = _("{task}: {votes}", task=board["task"] or _("no task"), votes=counted)
    rows = [
        [
            _ranks(one["best"], one["worst"]),
            one["model"],
            _end(one["points"]),
            _("{low} to {high}", low=_end(one["low"]), high=_end(one["high"])),
            one["votes"],
            one["won"],
            _("not separable yet from {models}", models=several(one["unclear"], most=3)) if one["unclear"] else "",
        ]
        for one in board["rows"]
    ]
    told: list[Part] = [
        title,
        Table([_("rank"), _("model"), _("strength"), _("interval"), _("votes"), _("won"), ""], rows),
    ]
    if side := board["side"]:
        told.append(Indented(votes.describe_side(side["share"], side["low"], side["high"])))
    if not board["fits"]:
        told.append(Indented(votes.describe_circle()))
    return told


def _ranks(best: int, worst: int) -> Message | int:
    return best if best == worst else _("{low} to {high}", low=best, high=worst)


def _end(points: float | None) -> Message | str:
    return "?" if points is None else _("{points:+.0f}", points=round(points))


def show_comparisons(result: dict[str, Any]) -> list[Part]:
    if "deleted" in result:
        return [_("deleted: {name}", name=result["deleted"])]
    if "shared" in result:
        return [_("{name} is now: {visibility}", name=result["id"], visibility=result["shared"])]
    if "file" in result:
        return [_("written: {file}", file=result["file"])] if result["file"] else [result["text"]]
    if "comparison" in result:
        return _shown(result["comparison"])
    if not result["comparisons"]:
        return [_("No comparison is kept here.")]
    rows = [
        [
            one["id"],
            datetime.fromtimestamp(one["at"], UTC).strftime("%Y-%m-%d %H:%M"),
            one["task"],
            one["visibility"],
            ", ".join(one["models"][:3]),
            " ".join(one["asked"].split())[:60],
        ]
        for one in result["comparisons"]
    ]
    return [Table([_("comparison"), _("time (UTC)"), _("task"), _("seen by"), _("models"), _("question")], rows)]


def _shown(one: dict[str, Any]) -> list[Part]:
    told: list[Part] = [one["question"].get("prompt") or str(one["question"].get("inputs", ""))]
    for answer in one["answers"]:
        told += [f"[{answer['adapter']}]", Indented(answer["text"])]
    return told
