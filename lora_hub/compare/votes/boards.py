"""Everybody's votes -> a board for each task.

collect_votes({"ada": read_votes("ada")}, hub.read_votes())      every vote once, in the order of their times
rank_by_task(votes)                                              {"spam": Board, ...}
"""

from collections.abc import Iterable, Mapping

from lora_hub.compare.votes.strengths import Ballot, Board, rank
from lora_hub.compare.votes.votes_file import Votes, fold_votes
from lora_hub.core.schema import Vote

MOST_TASKS = 200


def collect_votes(here: Mapping[str, Votes], there: Mapping[str, bytes]) -> tuple[list[Vote], int]:
    """(the votes that count, how many people's they are). here: by person, of this app. there: by account, of the
    organization's repo, which strangers wrote; what this app has itself is taken from here."""
    found = {(owner, one.comparison): one for owner, votes in here.items() for one in votes.counted.values()}
    own = {comparison for _owner, comparison in found}
    voted_here = {comparison for votes in here.values() for comparison in (*votes.revealed, *votes.late)}
    for account, content in there.items():
        for one in fold_votes(content).counted.values():
            # Late here is late everywhere, whatever a file of the repo says.
            if one.comparison not in own and one.comparison not in voted_here:
                found[account, one.comparison] = one
    people = {owner for owner, _comparison in found}
    return sorted(found.values(), key=lambda one: (one.at, one.comparison)), len(people)


def rank_by_task(votes: Iterable[Vote]) -> dict[str, Board]:
    """A board for each task ("" for questions without one), the one with most votes first; of too many tasks those with
    most votes, because a file of the repo may name any that come before all others."""
    ballots: dict[str, list[Ballot]] = {}
    for vote in votes:
        ballots.setdefault(vote.task, []).append(ballot_of(vote))
    first = sorted(ballots.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_TASKS]
    return {task: rank(found) for task, found in first}


def ballot_of(vote: Vote) -> Ballot:
    """A vote for one gives it all, any other gives all the same."""
    count = len(vote.shown)
    shares = tuple(float(place == vote.place) if vote.choice == "one" else 1 / count for place in range(count))
    return Ballot(vote.shown, shares, vote.choice == "bad")
