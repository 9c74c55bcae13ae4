"""What a record tells, which anybody may have written: figures, held against the same ones computed again, and other
adapters, found again.

differing({"accuracy": 91.5}, {"accuracy": 90.0})      [("accuracy", 91.5, 90.0)]; [] where all are the same
find_recorded("lora-hub/spam@" + commit, of="lora-hub/sum")       its Pane
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.compare.panes import Pane, find_here, pane_of_repo
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, HubUnreachableError
from lora_hub.core.messages import _
from lora_hub.core.schema import ADAPTER, Scores
from lora_hub.evaluation import metrics

# Of percents, shares and p-values that are kept with four digits: less is another machine's arithmetic.
SAME, ROUNDED = 0.001, 0.006
# What a stranger recorded may have more of; a name is cut.
MOST_DIFFERING, LONGEST_NAME = 100, 80


def differing(recorded: Mapping[str, Any], computed: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(figure, as it was recorded, as it is now) of all that are not the same; None where one side has none. Both are
    nested by name; a figure's name is its path."""
    kept, new = dict(_flat(recorded)), dict(_flat(computed))
    different = []
    for name in {**new, **kept}:
        if len(different) < MOST_DIFFERING and not _is_same(kept.get(name), new.get(name)):
            different.append((name[:LONGEST_NAME], _shown(kept.get(name)), new.get(name)))
    return different


def _shown(value: Any) -> Any:
    """JSON has neither infinity nor what is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value[:LONGEST_NAME] if isinstance(value, str) else value


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= SAME
    return one == other


def _flat(value: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield from _flat(one, f"{where}{name}.")
        else:
            yield f"{where}{name}", one


def recorded_counts(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, int | None]:
    """What a record counts: its rows by these names, and the examples that were shown. Raises ValueError, KeyError,
    TypeError or AttributeError where it tells no counts."""
    counts = {name: record["dataset"].get(name) for name in names} | {"examples_shown": record.get("examples_shown")}
    if not all(one is None or isinstance(one, int) for one in counts.values()):
        raise ValueError(_("a count of rows is no number"))
    return counts


def card_figures(name: str, commit: str, scores: Mapping[str, Scores]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a card's metadata, which lists and the Hub show, and the same ones as they are now, as `differing`
    takes them. name: of the adapter. scores: as they are now, by who answered. Raises AdapterError, HubError."""
    called = {metrics.METRICS[one].on_hub or one: one for one in scores.get(ADAPTER, {}) if one in metrics.METRICS}
    told: dict[str, Any] = {}
    now: dict[str, Any] = {}
    for place, of in hub.read_card_scores(name.partition("@")[0], commit).items():
        for who, each in of.items():
            for metric, score in each.items():
                own = scores.get(who, {}).get(called.get(metric, metric) if place == "results" else metric)
                for part in ("value", "low", "high") if place == "shelf" else ("value",):
                    figure, kept, new = f"card.{place}.{who}.{metric}.{part}", getattr(score, part), None
                    if own is not None:  # what the Hub shows has two digits
                        new = getattr(own, part)
                        new = kept if place == "results" and abs(kept - new) <= ROUNDED else new
                    told[figure], now[figure] = kept, new
    return told, now


_COMMIT = re.compile(r"[0-9a-f]{40}")


def find_recorded(place: str, *, of: str, base: str = "", sees: Callable[[str], bool] = lambda run_id: True) -> Pane:
    """An adapter that a record names: owner/name@commit, or a run of this machine; never another place of it. of: whose
    record it is. base: where its base lies, if elsewhere than it says. sees: whether this person may see a run. Raises
    AdapterError, BaseError, HubError."""
    repo, _at, commit = place.partition("@")
    try:
        if _at:
            if not (bases.HUB_ID.fullmatch(repo) and _COMMIT.fullmatch(commit)):
                raise AdapterError(_("That is no repo at a commit."), _("Publish the adapter again."))
            return pane_of_repo(place, base)
        if place not in store.list_run_ids() or not sees(place):
            raise AdapterError(
                _("It was on the machine where that was made, and is not published."),
                _("Check it there, or make it again from published adapters."),
            )
        return find_here(place, base)
    except HubUnreachableError:
        raise
    except AdapterError as error:
        raise AdapterError(
            _("{adapter}, which {name} was made from, cannot be read: {reason}"),
            error.advice,
            adapter=place[:LONGEST_NAME],
            name=of,
            reason=error.said,
        ) from error
