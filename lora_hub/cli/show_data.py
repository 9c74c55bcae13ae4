"""How the result of `inspect` is shown to people."""

from typing import Any

from lora_hub.cli.screen import Indented, Part, Table, labelled
from lora_hub.cli.text import estimated, rows_of
from lora_hub.core.messages import Message, _, several
from lora_hub.works_in import PLACES


def show_inspection(result: dict[str, Any]) -> list[Part]:
    mapping = ", ".join(f"{role} = {column}" for role, column in result["mapping"].items())
    parts: list[Part] = [
        _("{rows}, columns: {columns}", rows=rows_of(result["rows"]), columns=", ".join(result["columns"])),
        _reading(result),
        _("task: {task}", task=result["task"]),
        _("mapping: {mapping}", mapping=mapping),
        *(_("mended: {said} ({rows})", said=mend["said"], rows=rows_of(mend["rows"])) for mend in result["mends"]),
    ]
    for problem in result["problems"]:
        parts.append(labelled(problem["severity"], problem["message"], problem["hint"]))
        if problem["mends"]:
            names = [problem["code"], *(f"{problem['code']}.{mend['kind']}" for mend in problem["mends"][1:])]
            parts.append(
                Indented(_("mend: {options}", options=several([f"--mend {names[0]}", *names[1:]], "or", most=99)))
            )
    if result["lengths"]:
        parts.append(_lengths(result["lengths"]))
    for shown in result["preview"][:2]:
        parts += ["", shown["prompt"], f">>> {shown['completion']}"]
    rows = [[one["key"], setting_value(one["value"]), one["why"]] for one in result["settings"]]
    parts += ["", Table(["--set", _("value"), _("why")], rows)]
    if result["estimate"]:
        of = result["estimate"]
        parts.append(estimated(**of))
    working = [PLACES[one["place"]] for one in result["works_in"] if one["works"] in ("yes", "if")]
    parts += [_("works in: {places}", places=several(working))] if working else []
    parts += [
        _("{place}: {why}", place=PLACES[one["place"]], why=one["why"]) for one in result["works_in"] if one["why"]
    ]
    return parts


def _reading(result: dict[str, Any]) -> Message:
    """How the file was read."""
    asked = {
        "format": result["format"],
        "encoding": result["encoding"] or "-",
        "delimiter": result["delimiter"],
        "sheet": result["sheet"],
    }
    if result["sheet"]:
        return _("format {format}, encoding {encoding}, delimiter {delimiter!r}, sheet {sheet!r}", **asked)
    return _("format {format}, encoding {encoding}, delimiter {delimiter!r}", **asked)


def _lengths(of: dict[str, Any]) -> Message:
    return _(
        "tokens a row ({base}, {sampled}): median {median}, 95 % {most}, longest {longest}; {too_long} too long "
        "for {max_length}, {share:.0%} of the tokens trained",
        base=of["base"],
        sampled=rows_of(of["sampled"]),
        median=of["total"][3],
        most=of["total"][5],
        longest=of["total"][7],
        too_long=of["too_long"],
        max_length=of["max_length"],
        share=float(of["trained_share"]),
    )


def setting_value(value: Any) -> str:
    """A value in the form that --set accepts."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(value) if isinstance(value, list | tuple) else str(value)
