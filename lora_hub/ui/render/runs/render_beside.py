"""Several runs beside each other -> HTML: their curves in one plot, and the settings in which they differ."""

import re
from collections.abc import Mapping, Sequence

from lora_hub.core.languages import in_digits
from lora_hub.core.messages import _
from lora_hub.core.schema import Run
from lora_hub.core.spec_fields import FIELDS
from lora_hub.ui.render.drawing import figure
from lora_hub.ui.render.render import empty, escape, table
from lora_hub.ui.render.render_data import EFFORT_TITLES
from lora_hub.ui.render.runs.curves import CURVES, pairs_of, runs_svg
from lora_hub.ui.render.runs.render_runs import main_scores
from lora_hub.ui.render.runs.run_names import RunName
from lora_hub.ui.render.text import digits, number, percent, t

PARTS = {
    "task": _("Task"),
    "base": _("Base"),
    "from": _("Goes on from"),
    "data": _("Data"),
    "test": _("Test file"),
    "effort": _("Effort"),
}
_NUMBER = re.compile(r"-?[\d.]+(e-?\d+)?")
TITLES = {field.key: field.title for field in FIELDS}


def beside(
    found: Sequence[Run],
    differing: Sequence[tuple[str, Sequence[str]]],
    names: Mapping[str, RunName],
    what: str,
    language: str,
) -> str:
    """found: 2 to 8 runs. differing: `runs.find_differing` of them. what: a name of `CURVES`."""
    titles = [names[run.id].title(language) for run in found]
    drawn = [(title, pairs_of(run, what)) for title, run in zip(titles, found, strict=True)]
    title = t(CURVES[what], language)
    if any(pairs for _title, pairs in drawn):
        picture = figure(runs_svg(drawn, what, language), title, f"runs-{what}".replace("_", "-"), language)
    else:
        picture = empty(t(_("None of these runs has this curve."), language))
    heads = ["", *titles]
    rows = [
        [f"<b>{escape(t(_('Lowest validation loss'), language))}</b>", *(_lowest(run, language) for run in found)],
        [f"<b>{escape(t(_('Score'), language))}</b>", *(_score(run, language) for run in found)],
    ]
    rows += [
        [
            escape(t(PARTS.get(name) or TITLES[name], language)),
            *(f"<bdi>{escape(_value(name, value, language))}</bdi>" for value in values),
        ]
        for name, values in differing
    ]
    said = "" if differing else f'<p class="lh-quiet">{escape(t(_("They have the same settings."), language))}</p>'
    return picture + table(heads, rows, stacked=True) + said


def _value(name: str, value: str, language: str) -> str:
    if name == "effort":
        return t(EFFORT_TITLES[value], language) if value in EFFORT_TITLES else value
    if name in PARTS:
        return value
    return in_digits(value, language) if _NUMBER.fullmatch(value) else digits(value, language)


def _lowest(run: Run, language: str) -> str:
    losses = [loss for step, loss in run.eval_losses if step]
    return escape(number(min(losses), language, 4)) if losses else "–"


def _score(run: Run, language: str) -> str:
    pair = main_scores(run)
    return escape(percent(pair[2].value, language)) if pair else "–"
