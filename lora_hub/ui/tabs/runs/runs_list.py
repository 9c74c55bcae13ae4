"""What stands above the list of runs: a search, and a field of filters."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import Run
from lora_hub.runs import Wanted
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.render.runs.render_runs import LOCAL_OWNER, STATES
from lora_hub.ui.render.text import t

SAID = {
    "state": _("State: {value}"),
    "task": _("Task: {value}"),
    "base": _("Base: {value}"),
    "tag": _("Tag: {value}"),
    "owner": _("By {value}"),
}
# Of one kind; a list of hundreds helps nobody.
MOST_OFFERED = 60


class Finding:
    """The two fields."""

    def __init__(self, words: Labels) -> None:
        self.search = gr.Textbox(
            "",
            label=words(_("Search runs")),
            placeholder=words(_("Name, task, base, data, tag")),
            show_label=False,
            container=False,
            max_lines=1,
            elem_id="lh-runs-search",
        )
        self.filters = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            allow_custom_value=True,  # what was chosen before the app was started again
            label=words(_("Only these runs")),
            info=words(_("State, task, base or tag")),
            elem_id="lh-runs-filters",
        )


def wanted_of(search: str, chosen: Sequence[str] | None) -> Wanted:
    return Wanted.of(search or "", [one for one in chosen or [] if isinstance(one, str)])


def offers(known: Sequence[Run], language: str) -> list[tuple[str, str]]:
    """(what is said, its value) of all that these runs can be filtered by; what all have in common is left out."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in SAID}
    for run in known:
        found["state"][str(run.state)] = t(STATES[run.state], language)
        found["task"].setdefault(run.spec.task.id, text_in(run.spec.task.title, language))
        found["base"].setdefault(run.spec.base.id, run.spec.base.title or run.spec.base.id)
        found["owner"].setdefault(run.owner, run.owner)
        for tag in run.tags:
            found["tag"].setdefault(tag, tag)
    if set(found["owner"]) <= {LOCAL_OWNER}:
        found["owner"] = {}
    return [
        (t(SAID[kind], language, value=f"\u2068{said}\u2069"), f"{kind} {value}")
        for kind, values in found.items()
        if len(values) > 1 or kind == "tag"
        for value, said in list(values.items())[:MOST_OFFERED]
    ]


def offering(known: Sequence[Run], chosen: Sequence[str] | None, language: str) -> Any:
    """The field with what these runs offer. What is chosen stays, even where it is of none of them any more."""
    offered = offers(known, language)
    values = {value for _said, value in offered}
    more = [(one.partition(" ")[2], one) for one in chosen or [] if one not in values]
    return gr.Dropdown(choices=[*offered, *more])
