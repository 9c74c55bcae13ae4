"""Blind votes: casting one, showing the names, the boards that follow, and preference data."""

from dataclasses import dataclass
from typing import Any

from lora_hub import hub
from lora_hub.compare import kept, votes
from lora_hub.core.errors import DataError, LoraHubError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Comparison
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.kept_comparisons import OpenedComparison, is_own, opened, people_with_comparisons


@dataclass(frozen=True)
class Boards:
    """boards: by task, the one with most votes first. votes, people: how many votes of how many people count. repo: the
    organization's repo of votes. trouble: why the votes there could not be read; then these are those of this app.
    waiting: how many votes of whoever asks are not counted here yet, because they have not seen the names."""

    boards: dict[str, votes.Board]
    votes: int
    people: int
    repo: str
    trouble: Message | None = None
    waiting: int = 0


@use_case(Action.COMPARE, counted=True)
def cast_vote(person: Person, comparison_id: str, choice: str, place: int | None = None) -> OpenedComparison:
    """Votes on a blind comparison of one's own: "one" (the pane at `place`, from 0 in the order of the page), "tie" or
    "bad". Until the names are shown the vote may be changed; after that it is recorded as late and does not count.
    Raises DataError: another person's comparison, one that is not blind, no such pane."""
    votes.cast_vote(_own(person, comparison_id), choice, place)
    return opened(person, comparison_id)


@use_case(Action.COMPARE, counted=True)
def reveal_names(person: Person, comparison_id: str) -> OpenedComparison:
    """Shows the names of a blind comparison of one's own. Raises DataError."""
    votes.reveal(_own(person, comparison_id))
    return opened(person, comparison_id)


def _own(person: Person, comparison_id: str) -> Comparison:
    found = opened(person, comparison_id)
    if not found.is_own:
        raise DataError(
            _("This comparison is another person's, and only they vote on it."),
            _("Ask the same question yourself, with Blind turned on."),
        )
    return found.comparison


@use_case(Action.COMPARE, counted=True)
def send_votes(person: Person) -> int:
    """Writes this person's votes that count to the organization's repo, with their own token; those on comparisons
    whose names they have not seen stay here until they have, because the repo tells them. What cannot be written now is
    written with the next ones. Returns how many there are. Raises HubError."""
    if not person.role:
        return 0
    mine = votes.read_votes(person.id)
    told = votes.told_votes(mine)
    if told.counted:
        hub.write_votes(lambda there: votes.merge_votes(told, there))
    return len(told.counted)


@use_case(Action.COMPARE, counted=True)
def read_boards(person: Person) -> Boards:
    """How good the models are by the votes of this app's people and of the organization's repo, for each task. A vote
    of this person's that they may still change is left out: the board would tell them whom it was for."""
    here: dict[str, votes.Votes] = {owner: votes.read_votes(owner) for owner in people_with_comparisons()}
    waiting = 0
    if person.id in here:
        told = votes.told_votes(here[person.id])
        waiting = len(here[person.id].counted) - len(told.counted)
        here[person.id] = told
    trouble, there = None, {}
    try:
        there = hub.read_votes()
    except LoraHubError as error:
        trouble = error.said
    counted, people = votes.collect_votes(here, there)
    return Boards(votes.rank_by_task(counted), len(counted), people, hub.votes_repo(), trouble, waiting)


@use_case(Action.COMPARE, counted=True)
def export_votes(person: Person) -> list[dict[str, Any]]:
    """Preference data of this person's votes, and of those on comparisons that others of this app shared with the
    organization: rows of `prompt, chosen, rejected`. Votes on deleted comparisons have no texts and make none. The rows
    name the models, so later votes of this person's on what they take along are late."""
    if not person.role:
        return []
    pairs = []
    for owner in people_with_comparisons():
        for vote in votes.read_votes(owner).counted.values():
            if vote.place is None:  # it prefers nothing, and nothing is told
                continue
            one = kept.find_comparison(vote.comparison, owner)
            if one is not None and is_own(person, one):
                votes.reveal(one)
            elif one is None or one.visibility != "organization":
                continue
            pairs.append((one, vote))
    pairs.sort(key=lambda pair: (pair[1].at, pair[0].id))
    return votes.preference_rows(pairs)
