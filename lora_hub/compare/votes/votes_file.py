"""Votes on disk: lines that are only ever appended, in the folder of their person's comparisons.

    cast_vote(one, "one", 1)       the second pane is the best; durable when this returns
    reveal(one)                    the names are shown: later votes on it are late
    read_votes("ada")              what counts
    are_sent("ada")                whether the organization's repo has it

    $LORA_HUB_HOME/comparisons/votes.jsonl, and people/<owner>/comparisons/votes.jsonl of those who sign in

Of a comparison the last vote before its names were shown counts, once. A line that a crash cut off was never
acknowledged and is left out.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_hub.compare.kept.kept_files import folder_of
from lora_hub.core import events, file_lock, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import COMPARISON_ID, Comparison, Vote

FILE, LOCK = "votes.jsonl", ".votes.lock"
# How many bytes of the file are in the organization's repo. It is not kept elsewhere: what was sent can be sent again.
SENT = ".votes.sent"
# Of one person's file, also of one that comes from a repo.
MOST_BYTES, MOST_LINE, MOST_VOTES = 16 * 1024**2, 32 * 1024, 20_000
CHOICES = ("one", "tie", "bad")
_ID = re.compile(COMPARISON_ID)


@dataclass
class Votes:
    """A person's votes. counted: by comparison, the last one before the names were shown. late: by comparison, the last
    one after that, which does not count. revealed: comparisons whose names were shown."""

    counted: dict[str, Vote] = field(default_factory=dict)
    late: dict[str, Vote] = field(default_factory=dict)
    revealed: set[str] = field(default_factory=set)


def cast_vote(one: Comparison, choice: str, place: int | None = None) -> Vote:
    """Records its owner's vote. place: of the pane that is the best, from 0 in the order of the page, for the choice
    "one". Raises DataError where the comparison was not blind, or has no such pane or choice."""
    if not one.is_blind:
        raise DataError(
            _("The names were shown from the beginning: a vote would not be blind."),
            _("Turn on Blind and ask again."),
        )
    is_there = place is None if choice != "one" else type(place) is int and 0 <= place < len(one.answers)
    if choice not in CHOICES or not is_there:
        raise DataError(
            _("{choice!r} is no vote on this comparison."),
            _("Vote for one of its {count} answers, for a tie, or for none.", count=len(one.answers)),
            choice=f"{choice} {'' if place is None else place + 1 if type(place) is int else place}".strip()[:40],
        )
    shown = tuple(one.model_of(answer)[:200] for answer in one.placed)
    with _alone(one.owner) as file:
        before = read_votes(one.owner)
        vote = Vote(
            comparison=one.id,
            at=time.time(),
            task=one.task,
            shown=shown,
            choice=choice,
            place=place,
            is_late=one.id in before.revealed,
        )
        last = (before.late if vote.is_late else before.counted).get(one.id)
        if last is not None and (last.choice, last.place) == (vote.choice, vote.place):
            return last
        _append(file, {"kind": "vote", **vote.model_dump(mode="json", exclude_defaults=True)})
    return vote


def reveal(one: Comparison) -> None:
    """Records that the names of a blind comparison are shown to its owner."""
    with _alone(one.owner) as file:
        if one.id not in read_votes(one.owner).revealed:
            _append(file, {"kind": "reveal", "comparison": one.id, "at": time.time()})


def read_votes(owner: str) -> Votes:
    """A person's votes. Raises DataError if the owner can be nobody's name."""
    try:
        with (folder_of(owner) / FILE).open("rb") as file:
            return fold_votes(file.read(MOST_BYTES))
    except FileNotFoundError:
        return Votes()


def fold_votes(content: bytes) -> Votes:
    """The votes of a file's lines; what is no vote is left out, and so is all beyond the limits."""
    votes = Votes()
    for line in content[:MOST_BYTES].splitlines()[: 4 * MOST_VOTES]:
        read = events.read_line(line) if len(line) <= MOST_LINE else None
        if read is None:
            continue
        kind = read.pop("kind", "vote")
        if kind == "reveal":
            if isinstance(read.get("comparison"), str) and _ID.fullmatch(read["comparison"]):
                votes.revealed.add(read["comparison"])
            continue
        try:
            vote = Vote.model_validate(read)
        except ValidationError:
            continue
        # Lines stand in the order in which they were written: one after the reveal is late, whatever it says.
        is_late = vote.is_late or vote.comparison in votes.revealed
        kept = votes.late if is_late else votes.counted
        if vote.comparison in kept or len(votes.counted) + len(votes.late) < MOST_VOTES:
            kept[vote.comparison] = vote.model_copy(update={"is_late": is_late})
    return votes


def told_votes(votes: Votes) -> Votes:
    """The same without counted votes on comparisons whose names were not shown: those may change yet, and whoever reads
    on a board or in a file whom they were for would not be blind any more."""
    known = {name: one for name, one in votes.counted.items() if name in votes.revealed}
    return Votes(known, votes.late, votes.revealed | set(votes.counted))


def merge_votes(votes: Votes, there: bytes) -> bytes:
    """A person's file for the organization's repo: what counts of their votes here, and those that another app of
    theirs put there. there: the file as it is, which only they wrote."""
    known = {*votes.counted, *votes.late, *votes.revealed}
    others = [one for one in fold_votes(there).counted.values() if one.comparison not in known]
    lines = sorted([*others, *votes.counted.values()], key=lambda one: (one.at, one.comparison))[-MOST_VOTES:]
    return "".join(
        json.dumps(one.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False) + "\n" for one in lines
    ).encode()


def length_of(owner: str) -> int:
    """Bytes of a person's votes, which only grow. Raises DataError as `read_votes`."""
    try:
        return (folder_of(owner) / FILE).stat().st_size
    except FileNotFoundError:
        return 0


def are_sent(owner: str) -> bool:
    """Whether all that a person has voted was in the organization's repo when it was last written there."""
    try:
        return int((folder_of(owner) / SENT).read_text(encoding="ascii")) == length_of(owner)
    except FileNotFoundError:
        return length_of(owner) == 0
    except ValueError:  # damaged: sent once more
        return False


def mark_sent(owner: str, length: int) -> None:
    """Notes that a person's votes were sent. length: `length_of` them before that."""
    store.write_text(folder_of(owner) / SENT, f"{length}\n")


@contextmanager
def _alone(owner: str) -> Iterator[Path]:
    """The person's file, while nobody else changes it."""
    folder = folder_of(owner)
    with store.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock.alone(folder / LOCK):
            yield folder / FILE


def _append(file: Path, line: dict[str, Any]) -> None:
    """Appends a line, which is on the disk when this returns."""
    with store.disk_errors(file):
        events.append_line(file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
