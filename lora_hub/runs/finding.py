"""Searching and filtering runs that were listed already.

find_runs(runs.list_runs(), Wanted(search="spam fa", states=("failed",)))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lora_hub.core.errors import SpecError
from lora_hub.core.languages import folded
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Run, RunState

MOST_SEARCH = 200  # characters of a search
# What a choice begins with in `Wanted.of`.
KINDS = ("task", "base", "state", "tag", "owner")


@dataclass(frozen=True)
class Wanted:
    """Which runs. Empty fields exclude nothing; of several tasks, bases and so on a run has one.

    search: words that must all occur in a run's id, name, task, base, data, tags, owner, or in why it failed. tasks,
    bases: their ids. states: as `RunState` names them. Raises SpecError for a state that there is not.
    """

    search: str = ""
    tasks: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for state in self.states:
            if state not in [*RunState]:
                raise SpecError(
                    _("No run is in the state {state!r}.", state=state[:60]),
                    _("It is one of: {choices}.", choices=several([*map(str, RunState)], "or")),
                )

    @staticmethod
    def of(search: str, choices: Sequence[str]) -> "Wanted":
        """choices: "state failed", "tag night", as a page's field has them; others are left out."""
        found: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for choice in choices:
            kind, _space, value = choice.partition(" ")
            if kind in found and (kind != "state" or value in [*RunState]):
                found[kind].append(value)
        return Wanted(search, **{f"{kind}s": tuple(values) for kind, values in found.items()})

    @property
    def is_all(self) -> bool:
        return not (self.search.strip() or self.tasks or self.bases or self.states or self.tags or self.owners)


def find_runs(known: Sequence[Run], wanted: Wanted) -> list[Run]:
    """Those that are wanted, in their order."""
    words = folded(wanted.search[:MOST_SEARCH]).split()
    tags = {*map(folded, wanted.tags)}
    return [
        run
        for run in known
        if (not wanted.tasks or run.spec.task.id in wanted.tasks)
        and (not wanted.bases or run.spec.base.id in wanted.bases)
        and (not wanted.states or run.state in wanted.states)
        and (not wanted.owners or run.owner in wanted.owners)
        and (not tags or tags & {*map(folded, run.tags)})
        and (not words or _has_words(run, words))
    ]


def _has_words(run: Run, words: Sequence[str]) -> bool:
    spec, error = run.spec, run.error
    told = [run.id, run.name, spec.name, spec.task.id, spec.task.title.en, spec.task.title.fa, spec.base.id]
    told += [spec.base.title, spec.dataset.name, run.owner, *run.tags]
    told += [error.said.en] if error else []
    text = folded("\n".join(told))
    return all(word in text for word in words)
