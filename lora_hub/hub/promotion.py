"""What `promotions.jsonl` holds: one line for each time that another version of an adapter went into production.

read_lines(b"...")         Promotions(entries=(...), damaged=0): anybody may have written the file
to_lines(promotions, new)  the file with a line more
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from lora_hub.core.schema import Noun

PROMOTIONS = "promotions.jsonl"
# Of the file, a line and the lines that are read: the newest ones count.
MOST_BYTES, MOST_LINE_BYTES, MOST_ENTRIES = 512 << 10, 8 << 10, 500
LONGEST_REASON = 500

_Number = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
_Version = Annotated[str, Field(pattern=r"^v[0-9]{1,6}$")]
_Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


# One of the two that are compared: the new version, or what it is compared with.
Side = Literal["version", "against"]
_Sides = Annotated[tuple[Side, ...], Field(max_length=2)]


class Measured(Noun):
    """Two models on the same rows. metric: its name. against: who the new version was compared with, in the words of
    `verdicts` ("base", "base_examples") or a version. score, other: per cent. difference: score minus other in points,
    with its 95 % interval low to high. p: two-sided. rows: how many; source: which rows, as their fingerprint.
    left_out: how many other rows there were, with which one of the two was trained (left_by). maybe: whose training may
    have had some of the rows that were compared."""

    metric: Annotated[str, Field(max_length=60)]
    against: Annotated[str, Field(max_length=60)]
    rows: _Count
    source: Annotated[str, Field(max_length=80)] = ""
    score: _Number
    other: _Number
    difference: _Number
    low: _Number
    high: _Number
    p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    left_out: _Count = 0
    left_by: _Sides = ()
    maybe: _Sides = ()


def name_of(version: str, commit: str) -> str:
    """A version, or the beginning of a commit that is none; empty where there is neither."""
    return version or commit[:7]


class Promotion(Noun):
    """One move of the tag. at: ISO 8601, UTC. by: an account on the Hub. kind: "better" (measured so), "reason" (an
    admin's, though it was not) or "rolled_back". version, commit: what is in production afterwards; before,
    before_commit: what was until then, empty where nothing was. task: against that; general: what was forgotten,
    against the base; limit: points that may be forgotten. unread: what was in production could not be read, so the base
    was compared instead."""

    at: Annotated[str, Field(max_length=40)]
    by: Annotated[str, Field(max_length=100)]
    kind: Literal["better", "reason", "rolled_back"]
    version: _Version
    commit: _Commit
    before: _Version | Literal[""] = ""
    before_commit: _Commit | Literal[""] = ""
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    task: Measured | None = None
    general: Measured | None = None
    limit: _Number = 0.0
    unread: bool = False

    @property
    def before_name(self) -> str:
        """What was in production until then, in a word: as `Production.name`."""
        return name_of(self.before, self.before_commit)


@dataclass(frozen=True)
class Promotions:
    """entries: oldest first. damaged: how many lines are none. lines: the file's own, as they are."""

    entries: tuple[Promotion, ...] = ()
    damaged: int = 0
    lines: tuple[bytes, ...] = ()

    def before(self, commit: str) -> tuple[str, str]:
        """(version, commit) of what was in production before a commit was, to which one rolls back; empty where nothing
        was, and the version where it was none. It is what stood there when the commit was promoted last; where somebody
        moved the tag to the commit by hand, it is what the record says."""
        last = self.entries[-1] if self.entries else None
        if last is not None and commit not in (last.commit, last.before_commit):
            return last.version, last.commit
        found = next(
            (one for one in reversed(self.entries) if one.commit == commit and one.kind != "rolled_back"), None
        )
        return (found.before, found.before_commit) if found else ("", "")


def read_lines(content: bytes) -> Promotions:
    """The promotions of a file. Lines that are none are counted and left out; so many lines as `MOST_ENTRIES` are read,
    the newest."""
    lines = [line for line in content.splitlines() if line.strip()][-MOST_ENTRIES:]
    entries, damaged = [], 0
    for line in lines:
        try:
            if len(line) > MOST_LINE_BYTES:
                raise ValueError("too long")
            entries.append(Promotion.model_validate_json(line, strict=True))
        except (ValidationError, ValueError, RecursionError):
            damaged += 1
    return Promotions(tuple(entries), damaged, tuple(lines))


def to_lines(known: Promotions, new: Promotion) -> bytes:
    """The file with a line more. Lines that nobody here can read stay as they are."""
    lines = [*known.lines, new.model_dump_json(exclude_defaults=True).encode()][-MOST_ENTRIES:]
    return b"".join(line + b"\n" for line in lines)
