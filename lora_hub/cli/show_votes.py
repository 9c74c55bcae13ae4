"""How `votes` and `comparisons` are shown to people."""

from datetime import UTC, datetime
from typing import Any

from lora_hub.cli.screen import Indented, Part, Table
from lora_hub.core.messages import Message, _, _n, several


def show_votes(result: dict[str, Any]) -> list[Part]:
    if "rows" in result:
        return [_n("{count:,} row in {file}", "{count:,} rows in {file}", count=result["rows"], file=result["file"])]
    if "sent" in result:
        return [_n("{count:,} vote is in the organization's repo.", "{count:,} votes are there.", count=result["sent"])]
    told: list[Part] = []
    if result["trouble"]:
        told.append(_("Only this app's votes count here: {why}", why=result["trouble"]))
    if result["waiting"]:
        told.append(waiting(result["waiting"]))
    if not result["boards"]:
        return [*told, _("No votes yet. Compare with Blind turned on, and vote.")]
    for board in result["boards"]:
        told += _board(board)
    return told


def _board(board: dict[str, Any]) -> list[Part]:
    votes = _n("{count:,} vote", "{count:,} votes", count=board["votes"])
    title = _("{task}: {votes}", task=board["task"] or _("no task"), votes=votes)
    rows = [
        [
            _ranks(one["best"], one["worst"]),
            one["model"],
            f"{one['points']:+.0f}",
            f"{_end(one['low'])} … {_end(one['high'])}",
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
        told.append(Indented(side_sentence(side["share"], side["low"], side["high"])))
    if not board["fits"]:
        told.append(Indented(CIRCLE))
    return told


def waiting(votes: int) -> Message:
    """Why votes of whoever looks are not on their board."""
    return _n(
        "{count:,} vote of yours is not counted here yet: show its names first, or this table would tell them.",
        "{count:,} votes of yours are not counted here yet: show their names first, or this table would tell them.",
        count=votes,
    )


CIRCLE = _("These models beat each other in a circle, so no ranking agrees with all the votes.")


def side_sentence(share: float, low: float, high: float) -> Message:
    """How often the first place of the page was chosen against the last. All from 0 to 1."""
    values = {"share": 100 * share, "low": 100 * low, "high": 100 * high}
    if low <= 0.5 <= high:
        return _(
            "Of the votes for the first or the last place, {share:.0f} % went to the first ({low:.0f} to {high:.0f} "
            "%): no sign that the place decides.",
            **values,
        )
    return _(
        "Of the votes for the first or the last place, {share:.0f} % went to the first ({low:.0f} to {high:.0f} %): "
        "the place decides, too. Its order is drawn for each comparison, so no model gains by it.",
        **values,
    )


def _ranks(best: int, worst: int) -> str:
    return str(best) if best == worst else f"{best}-{worst}"


def _end(points: float | None) -> str:
    return "?" if points is None else f"{points:+.0f}"


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
