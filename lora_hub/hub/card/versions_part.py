"""What a card tells of the versions before: what each was made from, and what changed from one to the next in data,
settings and scores.

The difference of two versions' scores is told with an interval from theirs alone, as for independent samples (the
square-and-add method: Newcombe 1998, method 10; Zou and Donner 2008). Versions that were scored on the same rows differ
by less than it says, never by more.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import ADAPTER, Score
from lora_hub.core.spec_fields import FIELDS, shown
from lora_hub.evaluation import metrics
from lora_hub.hub.card.card_metadata import Facts
from lora_hub.hub.card.markdown import escape
from lora_hub.hub.card.words import Words, raw

MOST_VERSIONS, MOST_CHANGES = 5, 8


def difference(now: Score, before: Score) -> tuple[float, float, float]:
    """(points, low, high) of two independent scores, per cent: now minus before."""
    points = now.value - before.value
    low = points - math.hypot(now.value - now.low, before.high - before.value)
    high = points + math.hypot(now.high - now.value, before.value - before.low)
    return points, low, high


def versions(facts: Facts, tell: Words) -> str:
    """This version and the ones before it, the newest first; empty where there is none."""
    if not facts.earlier:
        return ""
    records = [(tell(_("this one")), facts.record), *((escape(name, 20), record) for name, record in facts.earlier)]
    titles = [_("version"), _("rows trained on"), _("score"), _("what changed")]
    lines = [f"| {' | '.join(map(tell, titles))} |", "|---|---|---|---|"]
    for place, (name, record) in enumerate(records[: MOST_VERSIONS + 1]):
        before = records[place + 1][1] if place + 1 < len(records) else None
        changed = [tell(one) for one in changes(before, record, tell)] if before else []
        rows = _part(record, "dataset").get("train_rows")
        cells = [
            name,
            tell(_("{rows:,}", rows=rows)) if isinstance(rows, int) else "–",
            _score_of(record, facts, tell),
            "; ".join(changed) or "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    said = tell(
        _(
            "Differences of scores have 95 % intervals as of different rows. A version is fetched by its name, as in "
            "`{example}`.",
            example=raw(f"{facts.repo_id}@{escape(facts.earlier[0][0], 20)}"),
        )
    )
    return "\n".join(lines) + f"\n\n{said}"


def changes(before: dict[str, Any], record: dict[str, Any], tell: Words) -> list[Message]:
    """What is another in a record than in the one before it: data, settings, scores. Both may be strangers'."""
    found = [*_data_changes(before, record), *_setting_changes(before, record)]
    if len(found) > MOST_CHANGES:
        found = [*found[:MOST_CHANGES], _("and other settings")]
    return [*found, *_score_changes(before, record, tell)]


def _data_changes(before: dict[str, Any], record: dict[str, Any]) -> Iterator[Message]:
    old, new = _part(before, "dataset"), _part(record, "dataset")
    marks = [one.get("fingerprint") for one in (old, new)]
    if marks[0] != marks[1]:
        yield _(
            "data {now} ({rows:,} rows) instead of {before} ({old_rows:,} rows)",
            now=_code(marks[1]),
            before=_code(marks[0]),
            rows=_count(new.get("rows")),
            old_rows=_count(old.get("rows")),
        )
    elif old.get("mends") != new.get("mends"):
        yield _("the same file with other mends")
    elif old.get("train_rows") != new.get("train_rows"):
        yield _(
            "{rows:,} rows trained on instead of {old_rows:,}",
            rows=_count(new.get("train_rows")),
            old_rows=_count(old.get("train_rows")),
        )
    labels = [_part(one, "task").get("labels") for one in (before, record)]
    if labels[0] != labels[1]:
        yield _("other labels")
    bases = [_part(one, "base") for one in (before, record)]
    if bases[0].get("id") != bases[1].get("id"):
        yield _("base {now} instead of {before}", now=_code(bases[1].get("id")), before=_code(bases[0].get("id")))


def _setting_changes(before: dict[str, Any], record: dict[str, Any]) -> Iterator[Message]:
    for field in FIELDS:
        old, new = (_at(_part(one, "spec"), field.key) for one in (before, record))
        if old != new and old is not None and new is not None:
            yield _("{setting} {now} instead of {before}", setting=field.title, now=_code(new), before=_code(old))


def _score_changes(before: dict[str, Any], record: dict[str, Any], tell: Words) -> Iterator[Message]:
    name = _first_metric(record)
    now, then = (_score(one, name) for one in (record, before))
    if now and then:
        points, low, high = difference(now, then)
        yield _(
            "{metric} {points:.1f} points ({low:.1f} to {high:.1f})",
            metric=raw(tell.title(metrics.title_of(name))),
            points=points,
            low=low,
            high=high,
        )


def _score_of(record: dict[str, Any], facts: Facts, tell: Words) -> str:
    name = _first_metric(facts.record)
    score = _score(record, name)
    if score is None:
        return "–"
    said = _("{metric} {value:.1f} ({low:.1f} to {high:.1f})")
    return tell(said, metric=raw(tell.title(metrics.title_of(name))), value=score.value, low=score.low, high=score.high)


def _first_metric(record: dict[str, Any]) -> str:
    named = _part(record, "task").get("metrics")
    return str(named[0]) if isinstance(named, Sequence) and named else ""


def _score(record: dict[str, Any], name: str) -> Score | None:
    try:
        return Score(**_part(_part(_part(record, "metrics"), ADAPTER), name))
    except (TypeError, ValueError):  # another metric's, or a stranger's
        return None


def _code(value: Any) -> Message:
    return raw(escape(shown(value), 60))


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _part(data: Any, key: str) -> dict[str, Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _at(data: dict[str, Any], key: str) -> Any:
    *path, last = key.split(".")
    for part in path:
        data = _part(data, part)
    return data.get(last)
