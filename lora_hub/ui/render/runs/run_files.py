"""What can be taken away of a run -> HTML: a row of buttons."""

from lora_hub.core.messages import _
from lora_hub.core.schema import Run, RunState
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import t


def has_curve(run: Run) -> bool:
    """Whether it has told a loss."""
    return bool(run.train_losses or run.eval_losses)


def files(run: Run, language: str, *, has_log: bool, may_start: bool) -> str:
    """has_log: the reader may read the log. may_start: they may train, so that the settings can go into the form."""
    is_drawn = has_curve(run)
    offered = [
        ("svg", _("Plots (SVG)"), is_drawn),
        ("png", _("Plots (PNG)"), is_drawn),
        ("metrics", _("Metrics (CSV)"), is_drawn),
        ("rows", _("Held-out rows (CSV)"), bool(run.metrics)),
        ("settings", _("Settings (YAML)"), run.state is not RunState.DAMAGED),
        ("log", _("Log"), has_log),
    ]
    buttons = [
        f'<button type="button" class="lh-small" data-put="lh-run-save" data-value="{escape(f"{run.id} {what}")}">'
        f"{escape(t(said, language))}</button>"
        for what, said, is_there in offered
        if is_there
    ]
    again = ""
    if may_start:
        again = (
            f'<button type="button" class="lh-small lh-again" data-put="lh-start-from" data-value="{escape(run.id)}">'
            f"{escape(t(_('Start from this run'), language))}</button>"
        )
    label = escape(t(_("Save as a file"), language))
    saves = f'<span class="lh-quiet">{label}</span><span class="lh-saves" role="group" aria-label="{label}">'
    return f'<div class="lh-runfiles">{saves}{"".join(buttons)}</span>{again}</div>'
