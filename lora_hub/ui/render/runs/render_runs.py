"""The Runs tab's nouns -> HTML: the list, a run's head, its result, its held-out examples."""

import time
from collections.abc import Sequence
from typing import Any

from lora_hub.core import verdicts
from lora_hub.core.errors import LoraHubError
from lora_hub.core.languages import direction as direction_of
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import BASE_EXAMPLES, Hired, Run, RunState, Score
from lora_hub.runs import run_phases, run_states, tell_price, tell_spent
from lora_hub.ui.render.page_words import in_page_words
from lora_hub.ui.render.render import badge, card, empty, error_card, escape, for_visitors, note, sentence, table
from lora_hub.ui.render.render_data import WHO, metric_title, spec_line
from lora_hub.ui.render.runs.render_also import also_tested
from lora_hub.ui.render.runs.render_groups import beside_each_other, companions
from lora_hub.ui.render.runs.run_names import RunName, name_runs
from lora_hub.ui.render.text import age, between, digits, direction, duration, number, own_digits, percent, t

# A run's states, and one more that is shown while it is being cancelled.
STATES = {
    "queued": _("queued"),
    "running": _("running"),
    "publishing": _("publishing"),
    "succeeded": _("succeeded"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "lost": _("lost"),
    "damaged": _("damaged"),
    "cancelling": _("cancelling"),
}
LOCAL_OWNER = "local"
SHARED = {"organization": _("shared with the organization"), "public": _("public")}
# Older runs are folded, because on a phone the selected run stands below the list.
SHOWN_RUNS = 8
# The phases after the last training step, in order.
SCORING = (
    "scoring the base",
    "scoring the base with examples",
    "scoring the adapter before",
    "scoring the adapter",
    "asking general questions",
)
_KIND = {
    RunState.QUEUED: "plain",
    RunState.RUNNING: "live",
    RunState.PUBLISHING: "live",
    RunState.SUCCEEDED: "good",
    RunState.FAILED: "bad",
    RunState.CANCELLED: "plain",
    RunState.LOST: "warn",
    RunState.DAMAGED: "bad",
}


def state_kind(state: RunState) -> str:
    """How a state is coloured."""
    return _KIND[state]


def state_badge(run: Run, language: str) -> str:
    if run.is_newer:
        return badge(t(_("newer version"), language), "warn")
    return badge(t(STATES["cancelling" if run.cancelling else run.state], language), _KIND[run.state])


def runs_list(
    runs: Sequence[Run],
    chosen: str,
    language: str,
    *,
    may_train: bool = True,
    names: dict[str, RunName] | None = None,
) -> str:
    """Buttons, newest first, the selected one marked. Runs that were started together are grouped, with a line beside
    them. may_train: whether the reader can start runs of their own. names: of all runs, where these are a part."""
    if not runs:
        own = _("A run appears here when you press Train, and stays: reload, close, come back.")
        others = _("Runs that a member shares with you appear here.")
        go = ("finetune", t(_("Go to Fine-tune"), language)) if may_train else None
        return empty(t(_("No run yet"), language), t(own if may_train else others, language), go)
    parts, older, shown, names = [], [], 0, names or name_runs(runs)
    for members in beside_each_other(runs):
        items = "".join(_item(run, names[run.id], chosen, language) for run in members)
        if len(members) > 1:
            words = escape(t(_("{count} in one go"), language, count=number(len(members), language)))
            items = (
                f'<div class="lh-group" role="group" aria-label="{words}"><p class="lh-quiet">{words}</p>{items}</div>'
            )
        if shown < SHOWN_RUNS:
            parts.append(items)
            shown += len(members)
        else:
            older.append(items)
    listed = "".join(parts)
    if older:
        words = t(_n("{count:,} older run", "{count:,} older runs", count=len(runs) - shown), language)
        opened = " open" if f'data-id="{escape(chosen)}"' in "".join(older) else ""
        listed += f'<details class="lh-older"{opened}><summary>{escape(words)}</summary>{"".join(older)}</details>'
    return f'<div class="lh-list">{listed}</div>'


def _item(run: Run, name: RunName, chosen: str, language: str) -> str:
    percent_done = (
        f'<span class="lh-mini"><i style="inline-size:{_share(run):.0f}%"></i></span>' if not run.state.is_final else ""
    )
    facts = between(language).join(f"<bdi>{escape(one)}</bdi>" for one in name.facts(language))
    return (
        f'<button type="button" class="lh-item" data-id="{escape(run.id)}"'
        f"{' aria-current=true' if run.id == chosen else ''}>"
        f'<span class="lh-item-top"><b dir="auto">{escape(name.title(language))}</b>{state_badge(run, language)}</span>'
        f'<span class="lh-quiet">{facts}</span>{tags(run)}{whose(run, language)}'
        f'<span class="lh-quiet">{escape(age(run.created or run.started, language))}{_headline(run, language)}</span>'
        f"{percent_done}</button>"
    )


def tags(run: Run) -> str:
    """The tags that a person gave a run."""
    if not run.tags:
        return ""
    return f'<span class="lh-tags">{"".join(f"<bdi>{escape(tag)}</bdi>" for tag in run.tags)}</span>'


def whose(run: Any, language: str) -> str:
    """The owner of a run or test, where people sign in, and who else can see it."""
    if run.owner == LOCAL_OWNER:
        return ""
    who = t(_("by {owner}"), language, owner=run.owner)
    seen = "" if run.visibility == "private" else between(language) + t(SHARED[run.visibility], language)
    return f'<span class="lh-quiet">{sentence(who)}{escape(seen)}</span>'


def _headline(run: Run, language: str) -> str:
    """The main metric of a finished run, for the list."""
    pair = main_scores(run)
    of = (
        f" {escape(t(_n('({count:,} row)', '({count:,} rows)', count=pair[2].rows), language))}"
        if pair and pair[2].rows
        else ""
    )
    if not pair:
        return ""
    title, value = escape(metric_title(pair[0], language)), escape(percent(pair[2].value, language))
    return f"{between(language)}{title} <b>{value}</b>{of}"


def main_scores(run: Run) -> tuple[str, Score, Score] | None:
    """(metric, the base's better score over its ways of prompting, the adapter's score) for the task's first metric
    that both have."""
    base, adapter = run.metrics.get("base", {}), run.metrics.get("adapter", {})
    for name in [*run.spec.task.metrics, *adapter]:
        if name in base and name in adapter:
            return name, run.metrics[verdicts.stronger_base(run.metrics, name)][name], adapter[name]
    return None


def _share(run: Run) -> float:
    """A run's progress in per cent: of its steps or, once it is trained, of its scoring."""
    scored = _scored(run)
    if scored is not None:
        return scored
    return min(100.0, 100.0 * run.step / run.total_steps) if run.total_steps else 0.0


def _scored(run: Run) -> float | None:
    """The progress of the scoring in per cent, each of its phases an equal part; None in any other phase."""
    name, progress = run_phases.split(run.phase)
    if name not in SCORING:
        return None
    left_out = set() if run.spec.parent else {"scoring the adapter before"}
    left_out |= set() if run.spec.asks_general else {"asking general questions"}
    phases = [phase for phase in SCORING if phase == name or phase not in left_out]
    part = progress[0] / progress[1] if progress and progress[1] else 0.0
    return 100.0 * (phases.index(name) + min(1.0, part)) / len(phases)


def run_head(run: Run, language: str, others: Sequence[Run] = (), names: dict[str, RunName] | None = None) -> str:
    """Title, state, progress bar, current phase, and errors. others: runs started together with it; names: of all
    runs."""
    names = names or name_runs([run, *others])
    title = escape(names[run.id].title(language))
    parts = [
        f'<div class="lh-runhead"><h3 dir="auto">{title} {state_badge(run, language)}</h3>',
        (
            f'<p class="lh-quiet">{spec_line(run.spec, language)}</p><p class="lh-quiet"><code>{escape(run.id)}</code>'
            f"{between(language)}<bdi>{escape(names[run.id].facts(language)[-1])}</bdi></p>"
        ),
        companions(run, others, names, language),
    ]
    if not run.state.is_final:
        parts.append(_bar(run, language))
    facts = [_rows(run, language)] if run.train_rows else []
    if run.state.is_final and run.seconds:
        facts.append(t(_("took {time}"), language, time=duration(run.seconds, language)))
    if run.attempt > 1:
        facts.append(t(_("attempt {number}"), language, number=number(run.attempt, language)))
    if facts:
        parts.append(f'<p class="lh-quiet">{escape(between(language).join(facts))}</p>')
    parts.append("</div>")
    if run.hired is not None:
        parts.append(_hired(run.hired, language))
    said = run_states.describe(run)
    if said:
        shown = _told(said, language)
        parts.append(f'<p class="lh-note" id="lh-state" dir="{direction(shown)}">{sentence(shown)}</p>')
    if run.error:
        parts.append(error_card(LoraHubError(run.error.said, run.error.advice), language))
    for said in run.notes:
        shown = _told(said, language)
        parts.append(f'<p class="lh-note" dir="{direction(shown)}">{sentence(shown)}</p>')
    return "".join(parts)


def _hired(hired: Hired, language: str) -> str:
    """What the run costs elsewhere: the estimate, then what it took beside it, and the job's page."""
    said = sentence((tell_spent(hired) or tell_price(hired)).in_language(language))
    page = ""
    if hired.job and hired.url.startswith(("http://", "https://")):
        page = f' <a href="{escape(hired.url)}" target="_blank" rel="noopener">{escape(t(_("The job"), language))}</a>'
    return f'<p class="lh-note lh-hired">{said}{page}</p>'


def _told(said: Message, language: str) -> str:
    """Sentences of older versions have Latin digits in languages that have their own; this replaces them."""
    shown = for_visitors(in_page_words(said).in_language(language))
    return own_digits(shown, language) if direction(shown) == direction_of(language) else shown


def _rows(run: Run, language: str) -> str:
    """What happened to every row of the data."""
    if not run.file_rows:  # written by a version that did not count them all
        return t(
            _("{train} trained on, {scored} scored (test)"),
            language,
            train=_n("{count:,} row", "{count:,} rows", count=run.train_rows),
            scored=_n("{count:,} row", "{count:,} rows", count=run.eval_rows),
        )
    counts = {
        "total": run.file_rows,
        "train": run.train_rows,
        "validation": run.validation_rows,
        "held_out": run.eval_rows,
        "left": run.left_out,
    }
    return t(
        _(
            "{total} rows: {train} trained on, {validation} choose the checkpoint (validation), {held_out} scored "
            "(test), {left} left out"
        ),
        language,
        **{name: number(count, language) for name, count in counts.items()},
    )


def phase_words(phase: str, language: str) -> str:
    """What the worker does now, "scoring the base (3 of 40)" included, by its name on the page. A phase that this
    version does not know is shown as it is."""
    name, progress = run_phases.split(phase)
    known = run_phases.PHASES.get(name)
    words = t(known.on_page or known.name, language) if known else name
    if progress is None:
        return words
    done, total = (digits(str(count), language) for count in progress)
    return t(_("{phase} ({done} of {total})"), language, phase=words, done=done, total=total)


def _bar(run: Run, language: str) -> str:
    share, scored = _share(run), _scored(run)
    words = []
    words.append(phase_words(run.phase, language) or t(STATES[run.state], language))
    if run.total_steps and scored is None:
        words.append(
            t(
                _("step {step} of {total}"),
                language,
                step=number(run.step, language),
                total=number(run.total_steps, language),
            )
        )
    if run.eta:
        words.append(t(_("{time} left"), language, time=duration(run.eta, language)))
    elif run.started and not run.cancelling:
        words.append(t(_("running for {time}"), language, time=duration(time.time() - run.started, language)))
    # A percentage says what it is of. Before the first step there is nothing to measure; after the last one the run is
    # scored, or waits for others.
    is_known = scored is not None or (run.total_steps > 0 and share < 100)
    said = _("{share} trained") if scored is None else _("{share} scored")
    told = t(said, language, share=percent(share, language, 0))
    done = f"<b>{escape(told)}</b>" if is_known and (run.step or scored is not None) else ""
    waiting = "" if is_known else " lh-unsure"
    # If the progress is unknown, the progress bar has no number.
    now = f'aria-valuenow="{share:.0f}" ' if is_known else ""
    return (
        f'<div class="lh-bar{waiting}" role="progressbar" aria-label="{escape(t(_("Progress"), language))}" '
        f'aria-valuemin="0" aria-valuemax="100" {now}aria-valuetext="{escape(between(language).join(words))}">'
        f'<i style="inline-size:{share:.1f}%"></i></div>'
        f'<p class="lh-barwords"><span>{escape(between(language).join(words))}</span>{done}</p>'
    )


def log_text(text: str, language: str) -> str:
    if not text.strip():
        return note(t(_("The log begins when the run's process has started."), language))
    return f'<pre class="lh-log" dir="ltr">{escape(text)}</pre>'


def result(run: Run, language: str) -> str:
    """Base and adapter side by side, with intervals, and the verdict in one sentence."""
    pair = main_scores(run)
    if pair is None:
        return ""
    rows = []
    asked = [who for who in WHO if run.metrics.get(who)]
    for name in [metric for metric in run.spec.task.metrics if all(metric in run.metrics[who] for who in asked)]:
        best = run.metrics[verdicts.stronger_base(run.metrics, name)][name]
        gain = run.metrics["adapter"][name].value - best.value
        sign = "+" if gain >= 0 else "−"
        kind = "good" if gain > 0 else "bad" if gain < 0 else "plain"
        rows.append(
            [
                f"<b>{escape(metric_title(name, language))}</b>",
                *[_score(run.metrics[who][name], language) for who in asked],
                f'<span class="lh-gain lh-{kind}" dir="ltr">{sign}{escape(number(abs(gain), language, 1))}</span>',
            ]
        )
    if all("calibration_error" in run.metrics[who] for who in asked):
        # lower is better, and it has no verdict: its difference is not coloured
        sure = [_score(run.metrics[who]["calibration_error"], language) for who in asked]
        meant = t(
            _("How far stated probabilities are from the share of right answers: the less, the better."), language
        )
        title = escape(metric_title("calibration_error", language))
        rows.append([f'<span title="{escape(meant)}">{title}</span>', *sure, ""])
    heads = [t(_("Metric"), language), *[t(WHO[who], language) for who in asked], t(_("Difference"), language)]
    verdict, kind = _verdict(run, *pair, language)
    answered = _n(
        "Each answered the same held-out row, which was never trained on.",
        "Each answered the same {count:,} held-out rows, which were never trained on.",
        count=run.eval_rows,
    )
    return (
        f'<section class="lh-result"><h4>{escape(t(_("Result"), language))}</h4>{card(kind, escape(verdict))}'
        f"{table(heads, rows, 'lh-scores', stacked=True)}"
        f'<p class="lh-quiet">{escape(t(answered, language))}</p>{also_tested(run, language)}</section>'
    )


def _verdict(run: Run, name: str, base: Score, adapter: Score, language: str) -> tuple[str, str]:
    """The verdict of the paired test, and the kind of its card. Older runs have no test and no verdict."""
    said = _("{metric} stayed at {adapter}.")
    if adapter.value > base.value:
        said = _("{metric} rose from {base} to {adapter}.")
    elif adapter.value < base.value:
        said = _("{metric} fell from {base} to {adapter}.")
    words = [
        t(
            said,
            language,
            metric=metric_title(name, language),
            base=percent(base.value, language),
            adapter=percent(adapter.value, language),
        )
    ]
    found = run.comparison
    if found is None:
        return words[0], "plain"
    words.append(verdicts.describe(found).in_language(language))
    if found.verdict == "worse":
        words.append(t(_("This adapter makes the answers worse."), language))
    if found.against == BASE_EXAMPLES:
        words.append(t(_("Compared with the base that has examples in its prompt, which is the better one."), language))
    if advice := verdicts.advise(found):
        words.append(advice.in_language(language))
    return " ".join(words), {"better": "good", "worse": "bad"}.get(found.verdict, "warn")


def _score(score: Score, language: str) -> str:
    """A score with its interval, as figures and as a bar from 0 to 100."""
    interval = t(
        _("{low} – {high}"), language, low=number(score.low, language, 1), high=number(score.high, language, 1)
    )
    low = min(max(0.0, score.low), 98.0)
    width = min(max(2.0, score.high - low), 100.0 - low)
    return (
        f'<span class="lh-score"><b>{escape(percent(score.value, language))}</b>'
        f'<span class="lh-quiet" title="{escape(t(_("95 % interval"), language))}">{escape(interval)}</span>'
        '<span class="lh-whisker" aria-hidden="true">'
        f'<i style="inset-inline-start:{low:.1f}%;inline-size:{width:.1f}%"></i>'
        f'<em style="inset-inline-start:{min(max(score.value, 0.0), 98.5):.1f}%"></em></span></span>'
    )
