"""The Test sets tab's nouns -> HTML: the list, how a test stands, what it found, and the rows where models disagree."""

from collections.abc import Callable, Sequence
from typing import Any

from lora_hub.compare import test_sets
from lora_hub.compare.test_sets import TestRow, TestState
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import Message, _, _n, read_message, text_in
from lora_hub.core.schema import BASE, BASE_EXAMPLES, RunState, Score
from lora_hub.ui.render.drawing import cut, plot_head
from lora_hub.ui.render.render import badge, card, cell, empty, error_card, escape, note, pager, sentence, table
from lora_hub.ui.render.render_data import WHO, metric_title
from lora_hub.ui.render.render_table import direction_of
from lora_hub.ui.render.runs.render_held_out import inputs_cell
from lora_hub.ui.render.runs.render_runs import STATES, state_kind, whose
from lora_hub.ui.render.test_sets import render_judged
from lora_hub.ui.render.text import age, between, digits, duration, number, percent, t

SHOWN_ROWS = 25
# Characters of a column in the title of its plot.
MOST_COLUMN = 80
FILTERS = {"disagree": _("where they disagree"), "wrong": _("where one is wrong"), "all": _("all")}
ORDERS = {
    "file": _("as in the file"),
    "apart": _("furthest apart first"),
    "score": _("worst first"),
    "unsure": _("least sure first"),
}


# What stands beside the form while there is no test yet.
WHAT_FOR = (
    _("Which adapter is better, and how sure is that?"),
    _(
        "A test puts the same rows to every model that you choose, and compares their answers with the right ones: "
        "scores with intervals, each pair of models in a sentence, plots, and the rows on which they disagree."
    ),
)


def pane_name(pane: str, language: str) -> str:
    if base := test_sets.read_base_name(pane):
        return t(_("Base {base}"), language, base=base)
    return t(WHO[pane], language) if pane in (BASE, BASE_EXAMPLES) else pane


def title(state: TestState, language: str) -> str:
    """What people know the rows by: a file's name, or the task of the run that held them out."""
    spec = state.spec
    if spec.dataset is not None or not spec.run:
        return spec.name
    return t(_("held-out rows of {run}"), language, run=text_in(spec.task.title, language))


def tests_list(tests: Sequence[TestState], chosen: str, language: str) -> str:
    if not tests:
        return empty(t(_("No test yet"), language), t(_("Choose rows and adapters, and start one."), language))
    items = []
    for one in tests:
        current = ' aria-current="true"' if one.id == chosen else ""
        adapters = _n("{count:,} adapter", "{count:,} adapters", count=len(one.spec.adapters))
        told = between(language).join(escape(said) for said in (t(adapters, language), age(one.created, language)))
        items.append(
            f'<button type="button" class="lh-item" data-put="lh-test-id" data-value="{escape(one.id)}"{current}>'
            f'<span class="lh-item-top"><b><bdi>{escape(title(one, language))}</bdi></b>{_badge(one, language)}</span>'
            f'<span class="lh-quiet">{told}</span>'
            f"{whose(one, language)}</button>"
        )
    return f'<div class="lh-list">{"".join(items)}</div>'


def _badge(state: TestState, language: str) -> str:
    shown = "cancelling" if state.cancelling and not state.state.is_final else state.state
    return badge(t(STATES[shown], language), state_kind(state.state))


def share_words(state: TestState) -> Message:
    """What the button says that changes who may read a test."""
    return _("Share") if state.visibility == "private" else _("Keep private")


def head(state: TestState, language: str) -> str:
    """What is asked of whom, the link to it, and how far it is."""
    names = between(language).join(f"<bdi>{escape(name)}</bdi>" for name in state.spec.adapters)
    told = (
        f'<div class="lh-runhead"><h2><bdi>{escape(title(state, language))}</bdi> {_badge(state, language)}</h2>'
        f'<p class="lh-quiet">{names}</p><p class="lh-quiet"><code dir="ltr">{escape(state.id)}</code> '
        f'<button type="button" class="lh-small" data-link="?tab=tests&amp;test={escape(state.id)}" '
        f'data-copied="{escape(t(_("Copied"), language))}">{escape(t(_("Copy link"), language))}</button></p>'
        f"{whose(state, language)}</div>"
    )
    if state.error is not None:
        return told + error_card(LoraHubError(state.error.said, state.error.advice), language)
    if state.state.is_final:
        return told
    share = 100 * state.done / state.total if state.total else 0.0
    words = [escape(t(test_sets.PHASES.get(state.phase, STATES[state.state]), language))]
    if state.eta is not None and state.phase in ("answering", "judging"):
        words.append(escape(t(_("{time} left"), language, time=duration(state.eta, language))))
    done = (
        escape(
            t(_("{done} of {total}"), language, done=number(state.done, language), total=number(state.total, language))
        )
        if state.total
        else ""
    )
    unsure = "" if state.total else " lh-unsure"
    return told + (
        f'<div class="lh-bar{unsure}" role="progressbar" aria-label="{escape(t(_("Progress"), language))}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.0f}">'
        f'<i style="inline-size:{share:.1f}%"></i></div>'
        f'<p class="lh-barwords"><span>{between(language).join(words)}</span><span>{done}</span></p>'
    )


def result(found: dict[str, Any], problems: Sequence[Any], language: str) -> str:
    """Every metric with its interval, and every pair in a sentence."""
    panes, names = found["metrics"], list(dict.fromkeys(name for of in found["metrics"].values() for name in of))
    heads = [t(_("Model"), language), *[metric_title(name, language) for name in names]]
    rows = [
        [cell(pane_name(pane, language)), *[_score(of.get(name), language) for name in names]]
        for pane, of in panes.items()
    ]
    counted = t(_n("{count:,} row", "{count:,} rows", count=found["rows"]), language)
    if found["clusters"] < found["rows"]:
        counted = t(
            _("{rows}, {clusters} of them different"),
            language,
            rows=counted,
            clusters=number(found["clusters"], language),
        )
    told = [
        *[
            card("warn", sentence(one.said.in_language(language)), sentence(one.advice.in_language(language)))
            for one in problems
        ],
        f'<p class="lh-quiet">{escape(t(_("{rows}; per cent with 95 % intervals"), language, rows=counted))}</p>',
        table(heads, rows, "lh-scores", stacked=True),
        _pairs(found["pairs"], language),
    ]
    if found["few_shot"]["reason"]:
        reason = read_message(found["few_shot"], "reason").in_language(language)
        told.append(note(t(_("The base was not asked with examples: {reason}."), language, reason=reason)))
    return "".join(told) + render_judged.judged(found, pane_name, language)


def _score(score: dict[str, Any] | None, language: str) -> str:
    if score is None:
        return ""
    value = Score(**score)
    low, high = number(value.low, language, 1), number(value.high, language, 1)
    between = t(_("{low} to {high}"), language, low=low, high=high)
    return f'<b>{escape(number(value.value, language, 1))}</b> <span class="lh-quiet">{escape(between)}</span>'


def _pairs(pairs: Sequence[dict[str, Any]], language: str) -> str:
    if not pairs:
        return ""
    items = []
    for pair in sorted(pairs, key=lambda one: one["better"] is None):
        named = {**pair, "a": pane_name(pair["a"], language), "b": pane_name(pair["b"], language)}
        kind = "good" if pair["better"] else "plain"
        items.append(f'<li class="lh-{kind}">{sentence(t(test_sets.describe_pair(named), language))}</li>')
    said = t(_("Every pair on the same rows, p-values adjusted for their number (Holm)"), language)
    return f'<h4>{escape(said)}</h4><ul class="lh-pairs">{"".join(items)}</ul>'


def pick_rows(rows: Sequence[TestRow], show: str, order: str) -> list[TestRow]:
    chosen: dict[str, Callable[[TestRow], bool]] = {
        "disagree": test_sets.disagree,
        "wrong": lambda row: any(one.score < 100 for one in row.judgements.values()),
        "all": lambda row: True,
    }
    keys: dict[str, Callable[[TestRow], Any]] = {
        "file": lambda row: row.row,
        "apart": lambda row: -(_most(row) - _least(row)),
        "score": lambda row: sum(one.score for one in row.judgements.values()),
        "unsure": lambda row: min((one.confidence for one in row.answers.values() if one.probabilities), default=1.0),
    }
    return sorted(filter(chosen[show], rows), key=keys[order])


def _most(row: TestRow) -> float:
    return max((one.score for one in row.judgements.values()), default=0.0)


def _least(row: TestRow) -> float:
    return min((one.score for one in row.judgements.values()), default=0.0)


def rows_table(rows: Sequence[TestRow], show: str, order: str, page: int, place: str, language: str) -> str:
    """One page of rows with everybody's answer; each opens as a question in Compare. place: what a click on another
    page sends before its number."""
    picked = pick_rows(rows, show, order)
    if not picked:
        return empty(t(_("There is no such row."), language))
    panes = list(picked[0].answers)
    page = min(max(1, page), -(-len(picked) // SHOWN_ROWS))
    shown = picked[SHOWN_ROWS * (page - 1) : SHOWN_ROWS * page]
    ask = t(_("Ask in Compare"), language)
    cells = [
        [
            f'{escape(digits(str(row.row), language))} <button type="button" class="lh-small" data-put="lh-test-ask" '
            f'data-value="{escape(f"{place} {row.row}")}">{escape(ask)}</button>',
            inputs_cell(row.inputs, language),
            cell(row.reference if isinstance(row.reference, str) else " / ".join(row.reference)),
            *[_answer(row, pane, language) for pane in panes],
        ]
        for row in shown
    ]
    heads = ["#", t(_("Input"), language), t(_("Right answer"), language)]
    heads += [pane_name(pane, language) for pane in panes]
    texts = [[next(iter(row.inputs.values()), "") for row in shown], [row.reference for row in shown]]
    texts += [[row.answers[pane].text for row in shown] for pane in panes]
    said = pager(
        f'data-put="lh-test-page" data-value="{escape(place)} {{page}}"', page, SHOWN_ROWS, len(picked), language
    )
    return said + table(heads, cells, "lh-examples", ["", *map(direction_of, texts)], stacked=True)


def _answer(row: TestRow, pane: str, language: str) -> str:
    answer, judgement = row.answers[pane], row.judgements[pane]
    kind = "" if judgement.right is None else "lh-right" if judgement.right else "lh-wrong"
    more = ""
    if answer.probabilities:
        more = f' <bdi dir="ltr" class="lh-quiet">{escape(percent(100 * answer.confidence, language, 0))}</bdi>'
    elif judgement.right is None:
        more = f" {badge(number(judgement.score, language, 1))}"
    # what stands below an answer begins at its side
    return f'<div{direction_of([answer.text])}><span class="{kind}">{cell(answer.text, 300)}</span>{more}</div>'


def is_going(state: TestState) -> bool:
    return not state.state.is_final


def may_resume(state: TestState) -> bool:
    return state.state in (RunState.FAILED, RunState.CANCELLED, RunState.LOST)


def above_plot(title: str, name: str, words: str, language: str) -> str:
    """The title of a plot, what saves it, and what it shows for whoever cannot see it. name: of the file. words: HTML
    without tags."""
    head = plot_head(title, name, language, "lh-test-picture")
    return f'<div class="lh-plothead">{head}</div><p class="lh-unseen">{words}</p>'


def plot_titles(metric: str, columns: Sequence[str], has_labels: bool) -> dict[str, Message]:
    """The plots that a test has, by what the page's field holds."""
    title = {"metric": metric}
    found = {
        "scores": _("{metric} with intervals").filled(title),
        "length": _("{metric} by input length").filled(title),
    }
    if has_labels:
        found["label"] = _("{metric} by right answer").filled(title)
        found["confusion"] = _("Confusion matrix")
        found["calibration"] = _("How sure, and how often right")
    for name in columns:
        found[f"column {name}"] = _("{metric} by {column}").filled({**title, "column": cut(name, MOST_COLUMN)})
    return found
