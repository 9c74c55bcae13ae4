"""Pieces of text that the shell shows: scores, verdicts, estimates. No decisions."""

from typing import Any

from lora_hub.cli.screen import Said, Table
from lora_hub.core import verdicts
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, PARENT, PairedComparison

# What was scored, and what an adapter is compared with, by the keys of a run's metrics.
SCORED = {
    BASE: _("base"),
    BASE_EXAMPLES: _("base with examples"),
    PARENT: _("adapter before"),
    ADAPTER: _("adapter"),
}
AGAINST = {
    BASE: _("the base"),
    BASE_EXAMPLES: _("the base with examples in its prompt"),
    PARENT: _("the adapter that it goes on from"),
}


def rows_of(count: int) -> Message:
    return _n("{count} row", "{count} rows", count=count)


def score_table(metrics: dict[str, dict[str, dict[str, float]]]) -> Table:
    names = list(dict.fromkeys(name for of in metrics.values() for name in of))
    return Table(
        ["", *names],
        [
            [SCORED.get(who, who), *[_score(of[name]) if name in of else "" for name in names]]
            for who, of in metrics.items()
        ],
    )


def _score(score: dict[str, float]) -> Message:
    value, low, high = (float(score[part]) for part in ("value", "low", "high"))
    return _("{value:.1f} ({low:.1f} to {high:.1f})", value=value, low=low, high=high)


def units_of(metrics: dict[str, dict[str, Any]]) -> Message:
    """The units of a score table's figures."""
    if any("calibration_error" in of for of in metrics.values()):
        return _("per cent, 95 % intervals; of {metric}, less is better", metric="calibration_error")
    return _("per cent, 95 % intervals")


def verdict(comparison: dict[str, Any] | None, name: Said = SCORED["adapter"]) -> list[Message]:
    """The verdict of the paired test of an adapter against its base; empty if there was none."""
    if not comparison:
        return []
    found = PairedComparison(**comparison)
    said = _(
        "{metric}, {name} against {against} ({p}): {said}",
        metric=found.metric,
        name=name,
        against=AGAINST.get(found.against, found.against),
        p=verdicts.p_value(found),
        said=verdicts.describe(found),
    )
    advice = verdicts.advise(found)
    return [said, advice] if advice else [said]


def estimated(steps: int, seconds: float, memory_bytes: int, busy_seconds: float = 0.0) -> Message:
    """An estimate of a training, in one line. busy_seconds: where the machine stays as busy as now; 0: it is not."""
    told = _n(
        "about {count} step, {seconds:.0f} s, {memory:.0f} MB",
        "about {count} steps, {seconds:.0f} s, {memory:.0f} MB",
        count=steps,
        seconds=float(seconds),
        memory=memory_bytes / 1e6,
    )
    if not busy_seconds:
        return told
    return _("{estimate}; {seconds:.0f} s if this machine stays as busy as it is", estimate=told, seconds=busy_seconds)
