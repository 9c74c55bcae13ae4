"""The result of a paired comparison in words that name the rows, and which way of asking the base an adapter must beat.

describe(comparison)                       the finding in a sentence
advise(comparison)                         that examples in the prompt would do, where they would
stronger_base(metrics, "accuracy")         "base" or "base_examples"
"""

from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, PARENT, PairedComparison, Scores

# How the base is prompted, by the keys of a run's metrics.
BASE_WAYS = (BASE, BASE_EXAMPLES)
SMALLEST_P = 0.0001
# On fewer rows no difference is sure, even if all of them changed for the better: 2 / 2^5 > 5 %.
LEAST_ROWS = 6
# Who answered, as the card and the shell name them, in column order.
WHO = {
    BASE: "base",
    BASE_EXAMPLES: "base with examples in its prompt",
    PARENT: "adapter it goes on from",
    ADAPTER: "adapter",
}


def stronger_base(metrics: dict[str, Scores], metric: str) -> str:
    """The opponent an adapter must beat: "base" (plain prompt) or "base_examples" (with examples), whichever scored
    higher; the plain one on a tie."""
    asked = [who for who in BASE_WAYS if metric in metrics.get(who, {})]
    if not asked:
        raise ValueError(f"the base has no {metric}")
    return max(asked, key=lambda who: metrics[who][metric].value)


def p_value(found: PairedComparison) -> Message:
    """The p-value with two digits; a very small one as below the smallest value shown."""
    if found.p < SMALLEST_P:
        return _("p < {p}", p=f"{SMALLEST_P:.4f}")
    return _("p = {p:.2g}", p=found.p)


def describe(found: PairedComparison) -> Message:
    """The test's result in a sentence that names the rows; the metric and its values are shown beside it."""
    changes = _changes(found)
    if found.verdict in ("better", "worse"):
        return _("{changes}; that is beyond what chance explains.", changes=changes)
    if found.verdict == "same":
        return _("{changes}.", changes=changes)
    rows = _n("{count:,} row", "{count:,} rows", count=found.rows)
    if found.clusters < found.rows:
        return _(
            "{changes}; with {rows} ({clusters:,} of them different from each other) that can be chance.",
            changes=changes,
            rows=rows,
            clusters=found.clusters,
        )
    return _("{changes}; with {rows} that can be chance.", changes=changes, rows=rows)


def advise(found: PairedComparison) -> Message | None:
    """That the training was not needed: where the base with examples in its prompt is not beaten. None elsewhere."""
    if found.against != BASE_EXAMPLES or found.verdict == "better":
        return None
    if found.verdict == "worse":
        return _("The base with examples in its prompt does better, and needs no training.")
    return _("The base with examples in its prompt may do as well, and needs no training.")


def _changes(found: PairedComparison) -> Message:
    """How many rows changed, and in which direction; without a full stop."""
    if not found.changed:
        return _n("The one row did not change", "None of the {count:,} rows changed", count=found.rows)
    changed = _n(
        "{changed:,} of {count:,} row changed",
        "{changed:,} of {count:,} rows changed",
        count=found.rows,
        changed=found.changed,
    )
    if found.better and found.worse:
        return _(
            "{changed}, {better:,} for the better and {worse:,} for the worse",
            changed=changed,
            better=found.better,
            worse=found.worse,
        )
    if found.changed == 1:
        return (
            _("{changed}, for the better", changed=changed)
            if found.better
            else _("{changed}, for the worse", changed=changed)
        )
    return (
        _("{changed}, all for the better", changed=changed)
        if found.better
        else _("{changed}, all for the worse", changed=changed)
    )


def told_forgotten(found: PairedComparison) -> Message:
    """What an adapter forgot of what its base knows, on general questions."""
    figures = _(
        "general questions: {score:.1f} % against the base's {other:.1f} %, {difference:+.1f} points, 95 % interval "
        "{low:+.1f} to {high:+.1f}, {rows}",
        score=found.adapter,
        other=found.base,
        difference=found.difference,
        low=found.low,
        high=found.high,
        rows=_n("{count:,} row", "{count:,} rows", count=found.rows),
    )
    return _("{verdict} ({figures}).", verdict=judge_forgotten(found.low, found.high), figures=figures)


def judge_forgotten(low: float, high: float) -> Message:
    """What the interval of a difference in general questions comes to, in points; without a full stop."""
    if high < 0:
        return _("It forgot some of what the base knows")
    return _("It answers general questions better than the base") if low > 0 else _("The difference can be chance")


def tell_about(seconds: float) -> Message:
    """An estimated time, no finer than it is known."""
    if seconds < 90:
        return _("{count:,.0f} s", count=max(1.0, seconds))
    if seconds < 90 * 60:
        return _("{count:,.0f} min", count=seconds / 60)
    return _("{count:,.0f} h", count=seconds / 3600)
