"""Runs that were started together: which belong together, and how they are shown -> HTML."""

from collections.abc import Sequence

from lora_hub.core.messages import _
from lora_hub.core.schema import Run
from lora_hub.ui.render.render import escape, filled
from lora_hub.ui.render.runs.run_names import RunName
from lora_hub.ui.render.text import t


def groups_of(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    """Run id -> the ids of all runs started together with it, itself and deleted ones included. A member that was
    resumed alone still belongs to its group, because the others list it."""
    found: dict[str, tuple[str, ...]] = {}
    for run in runs:
        group = run.handle.get("group")
        group = tuple(one for one in group if isinstance(one, str)) if isinstance(group, list | tuple) else ()
        if len(group) > 1:
            found |= dict.fromkeys(group, group)
    return found


def beside_each_other(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs in list order, newest first: each one alone or with its group. Within a group they keep the order in
    which they were requested."""
    groups, by_id = groups_of(runs), {run.id: run for run in runs}
    shown: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        members = groups.get(run.id, (run.id,))
        shown.setdefault(members, [by_id[one] for one in members if one in by_id])
    return list(shown.values())


def companions(run: Run, others: Sequence[Run], names: dict[str, RunName], language: str) -> str:
    """The runs that a run was trained with, each a button that shows it. others: the group without the run; names: of
    all runs."""
    if not others:
        return ""
    named = [
        (
            f'<button type="button" class="lh-plainbutton" data-id="{escape(one.id)}">'
            f"<bdi>{escape(names[one.id].title(language))}</bdi></button>"
        )
        for one in others
    ]
    said = {
        "together": _("Trained together with {names}"),
        "in turn": _("Trained in one go with {names}, one after another"),
    }.get(run.mode, _("Started in one go with {names}"))
    return (
        '<p class="lh-quiet lh-companions">'
        f"{filled(said, language, names=escape(t(_(', '), language)).join(named))}</p>"
    )
