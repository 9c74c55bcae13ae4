"""The organization's matrix -> HTML: a table of coloured cells for each base. A cell shows its number; interval, rows
and commit are told below the table for the cell that has the focus or is pointed at."""

from collections.abc import Mapping
from typing import Any

from lora_hub.core.messages import _, _n
from lora_hub.ui.render.render import card, empty, escape, filled, isolate, sentence, waiting
from lora_hub.ui.render.render_data import metric_title
from lora_hub.ui.render.text import iso_moment, number, t

GENERAL = "general"
# Lower ends of the steps of colour, per cent.
STEPS = (20.0, 40.0, 60.0, 75.0, 90.0)

# Tells of the cell that has the focus, or that is pointed at.
TELL = """const tell = (event) => {
  const cell = event.target.closest('[data-tells]');
  const place = cell && cell.closest('.lh-matrix').querySelector('.lh-matrix-told');
  if (place) place.textContent = cell.dataset.tells;
};
for (const name of ['focusin', 'mouseover', 'click']) element.addEventListener(name, tell);"""


def matrix(found: Any, titles: Mapping[str, str], language: str) -> str:
    """found: a `compare.matrix.Matrix`. titles: of tasks, by id."""
    if not found.grids:
        return empty(
            t(_("No adapter here yet"), language),
            t(_("The matrix has a row for each that is published: train one, then press Publish in Runs."), language),
        )
    notes = []
    if found.missing:
        said = _n(
            "{count:,} cell is not computed yet. Rows of other machines are computed there.",
            "{count:,} cells are not computed yet. Rows of other machines are computed there.",
            count=found.missing,
        )
        notes.append(f'<p class="lh-quiet">{sentence(t(said, language))}</p>')
    if found.left_out:
        said = _n("{count:,} adapter is left out.", "{count:,} adapters are left out.", count=found.left_out)
        notes.append(f'<p class="lh-quiet">{sentence(t(said, language))}</p>')
    return "".join([*notes, *(_grid(grid, titles, language) for grid in found.grids)])


def _grid(grid: Any, titles: Mapping[str, str], language: str) -> str:
    heads = "".join(f'<th scope="col"><bdi>{escape(_title(one, titles, language))}</bdi></th>' for one in grid.columns)
    rows = []
    for ref, cells in grid.rows:
        name = ref.repo_id.rpartition("/")[2] if ref else t(_("the base"), language)
        told = [
            "<td></td>"  # against itself the base forgets nothing
            if ref is None and column.task == GENERAL
            else _cell(cell, column, name, ref is not None and ref.task == column.task, titles, language)
            for column, cell in zip(grid.columns, cells, strict=True)
        ]
        rows.append(f'<tr><th scope="row"><bdi>{escape(name)}</bdi></th>{"".join(told)}</tr>')
    title = filled(_("Base {base}"), language, base=isolate(grid.base))
    hint = escape(t(_("Point at a number, or go to it with Tab, for its interval and rows."), language))
    corner = escape(t(_("Adapter"), language))
    return (
        f'<section class="lh-matrix"><h3>{title}</h3><div class="lh-scroll"><table class="lh-heat"><thead><tr>'
        f'<th scope="col">{corner}</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f'<p class="lh-matrix-told lh-quiet" role="status">{hint}</p></section>'
    )


def _title(column: Any, titles: Mapping[str, str], language: str) -> str:
    return t(_("General"), language) if column.task == GENERAL else titles.get(column.task, column.task)


def _cell(cell: Any, column: Any, name: str, is_own: bool, titles: Mapping[str, str], language: str) -> str:
    if cell is None:
        return f'<td><span class="lh-quiet" aria-label="{escape(t(_("not computed yet"), language))}">–</span></td>'
    values = {
        "name": name,
        "task": _title(column, titles, language),
        "metric": metric_title(cell.metric, language),
        "value": number(cell.value, language, 1),
        "low": number(cell.low, language, 1),
        "high": number(cell.high, language, 1),
        "rows": t(_n("{count:,} row", "{count:,} rows", count=cell.rows), language),
        "commit": cell.commit[:12],
        "when": iso_moment(cell.at[:16], language),
    }
    if column.task == GENERAL:
        said = _("{name}, general questions: {value} points against the base, 95 % interval {low} to {high}, {rows}.")
        step = "lost" if cell.high < 0 else "more" if cell.low > 0 else "same"
    else:
        said = _("{name} on {task}: {metric} {value}, 95 % interval {low} to {high}, {rows}.")
        step = str(sum(cell.value >= least for least in STEPS))
    told = t(said, language, **values)
    if cell.commit:
        told += " " + t(_("Commit {commit}, {when}."), language, **values)
    own = " lh-own" if is_own else ""
    return (
        f'<td><button type="button" class="lh-h lh-h-{step}{own}" data-tells="{escape(told)}" '
        f'aria-label="{escape(told)}">{escape(number(cell.value, language, 0))}</button></td>'
    )


def filling(done: int, total: int, language: str) -> str:
    """How far a filling is."""
    if not total:
        return card("good", sentence(t(_("Nothing is missing that can be computed here."), language)))
    said = t(_("{done} of {total} cells"), language, done=number(done, language), total=number(total, language))
    return card("good", f"{escape(t(_('Done.'), language))} {sentence(said)}") if done == total else waiting(said)
