"""Blind votes: casting one, showing the names, the boards that follow, and preference data."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
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

logger = logging.getLogger("lora_hub.use_cases")
# So often is looked for votes that were not sent; after each failure a person's pause doubles.
RESEND_SECONDS, LONGEST_PAUSE = 60.0, 1800.0


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
    tried again without them (`keep_sending`). Returns how many there are. Raises HubError."""
    return _send(person)


def _send(person: Person) -> int:
    if not person.role:
        return 0
    length = votes.length_of(person.id)
    told = votes.told_votes(votes.read_votes(person.id))
    if told.counted:
        hub.write_votes(lambda there: votes.merge_votes(told, there))
    if length:
        votes.mark_sent(person.id, length)
    return len(told.counted)


class Resender:
    """Sends the votes again that could not be written to the organization's repo. people: those whose tokens are known
    at this moment; of somebody with several sessions, each. clock: seconds."""

    def __init__(self, people: Callable[[], Iterable[Person]], clock: Callable[[], float] = time.monotonic) -> None:
        self._people, self._clock = people, clock
        self._later: dict[str, tuple[float, float]] = {}  # person -> when they are tried next, and the pause before

    def look(self) -> int:
        """Tries whoever's turn it is; returns how many were sent."""
        asked = [one for one in self._people() if one.role and not votes.are_sent(one.id)]
        self._later = {name: self._later[name] for name in {one.id for one in asked} if name in self._later}
        now, sent = self._clock(), 0
        for name in dict.fromkeys(one.id for one in asked):
            due, pause = self._later.get(name, (0.0, RESEND_SECONDS / 2))
            if now < due:
                continue
            self._later[name] = (now + min(2 * pause, LONGEST_PAUSE), min(2 * pause, LONGEST_PAUSE))
            for person in (one for one in asked if one.id == name):
                try:
                    with hub.acting_as(person):
                        sent += min(1, _send(person))
                    break
                except LoraHubError as error:
                    logger.info("the votes of %s stay here: %s", name, error)
        return sent


def keep_sending(people: Callable[[], Iterable[Person]]) -> threading.Event:
    """Sends again, for as long as the app runs, what could not be sent. Set the event to end it."""
    ended, resender = threading.Event(), Resender(people)

    def work() -> None:
        while not ended.wait(RESEND_SECONDS):
            try:
                resender.look()
            except Exception:
                logger.exception("votes could not be sent again")

    threading.Thread(target=work, name="sending votes", daemon=True).start()
    return ended


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
