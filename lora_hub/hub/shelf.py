"""Searching, filtering and ordering adapters that were listed already. Nothing is asked of the Hub.

filter_adapters(hub.list_adapters(), Wanted(search="spam fa", min_score=90, sort="score"))
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from lora_hub.core.errors import SpecError
from lora_hub.core.languages import folded
from lora_hub.core.messages import _, several
from lora_hub.core.schema import ADAPTER, AdapterRef, Score

SORTS = ("newest", "score", "size", "name")
MOST_SEARCH = 200  # characters of a search
MB = 1e6


@dataclass(frozen=True)
class Wanted:
    """Which adapters, and in what order. Empty fields exclude nothing.

    search: words that must all occur in an adapter's name, title, task, base, languages or owner. language: an ISO 639
    code. owner: the account that published it. min_score: per cent, of the first metric; adapters without scores are
    left out then. max_mb: megabytes (10**6 bytes) of the weights; those of unknown size are left out then. repo_ids:
    only these. Raises SpecError for a sort that there is not, or a limit that is no number.
    """

    search: str = ""
    task: str = ""
    base: str = ""
    language: str = ""
    owner: str = ""
    min_score: float = 0.0
    max_mb: float = 0.0
    sort: str = "newest"
    repo_ids: Set[str] | None = None

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise SpecError(
                _("Adapters cannot be sorted by {sort!r}.", sort=self.sort[:60]),
                _("Choose one of: {choices}.", choices=several(SORTS)),
            )
        for name, value in (("min_score", self.min_score), ("max_mb", self.max_mb)):
            if not math.isfinite(value) or value < 0:
                raise SpecError(
                    _("{name} is {value}.", name=name, value=value), _("Give a number that is not negative.")
                )


def headline(ref: AdapterRef) -> tuple[str, Score] | None:
    """An adapter's first metric and its score, by which it is sorted and found; None where nobody scored it."""
    return next(iter(ref.metrics.get(ADAPTER, {}).items()), None)


def filter_adapters(
    found: Sequence[AdapterRef], wanted: Wanted, titles: Mapping[str, str] | None = None
) -> list[AdapterRef]:
    """Those that are wanted, in its order; in each order the last changed come first among equals. titles: of tasks, in
    the language that somebody searches in."""
    words = folded(wanted.search[:MOST_SEARCH]).split()
    kept = [ref for ref in found if _is_wanted(ref, wanted) and _has_words(ref, words, titles or {})]
    kept.sort(key=lambda ref: ref.updated, reverse=True)
    if wanted.sort == "score":
        kept.sort(key=lambda ref: score[1].value if (score := headline(ref)) else -1.0, reverse=True)
    elif wanted.sort == "size":
        kept.sort(key=lambda ref: ref.size or math.inf)
    elif wanted.sort == "name":
        kept.sort(key=lambda ref: ref.repo_id.lower())
    return kept


def _is_wanted(ref: AdapterRef, wanted: Wanted) -> bool:
    score = headline(ref)
    return (
        (not wanted.task or ref.task == wanted.task)
        and is_of_base(ref, wanted.base)
        and (not wanted.language or wanted.language in ref.languages)
        and (not wanted.owner or ref.owner.lower() == wanted.owner.lower())
        and (not wanted.min_score or (score is not None and score[1].value >= wanted.min_score))
        and (not wanted.max_mb or 0 < ref.size <= wanted.max_mb * MB)
        and (wanted.repo_ids is None or ref.repo_id in wanted.repo_ids)
    )


def is_of_base(ref: AdapterRef, base: str) -> bool:
    """Whether an adapter is of a base, by the base's id or its name in the adapter's organization. Of a local base its
    folder's name counts, not the path to it. Every one is of ""."""
    organization = ref.repo_id.partition("/")[0]
    if not base or ref.base in (base, f"{organization}/{base}"):
        return True
    is_place = base.startswith((f"{organization}/", "/", ".", "~"))
    return is_place and ref.base == base.rstrip("/").rpartition("/")[2]


def _has_words(ref: AdapterRef, words: Sequence[str], titles: Mapping[str, str]) -> bool:
    if not words:
        return True
    told = (ref.repo_id, ref.title, ref.task, titles.get(ref.task, ""), ref.base, *ref.languages, ref.owner)
    text = folded(" ".join(told))
    return all(word in text for word in words)
