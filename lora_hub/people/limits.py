"""Usage limits of a person: counted here, shown before they are reached, and refused with what is left and when there
will be more.

Whoever sits at the machine is limited by the machine alone.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lora_hub.core import settings
from lora_hub.core.errors import AccessError, PaceError
from lora_hub.core.messages import _, _n
from lora_hub.people import policy
from lora_hub.people.person import Person

DAY_SECONDS = 86_400.0
# Simultaneous requests of one person, over all their tabs; the server has some eighty threads for everybody.
MOST_AT_ONCE = 8
MB = 1e6


def check_pace(person: Person) -> None:
    """Counts a request. Raises AccessError if it exceeds the limit per minute."""
    if person.is_local or person.pace is None:
        return
    most = person.pace.a_minute or policy.read().requests_a_minute
    if seconds := person.pace.take(most):
        raise PaceError(
            _n(
                "That is more than {most} request a minute.",
                "That is more than {most} requests a minute.",
                count=most,
                most=most,
            ),
            _("Go on in {seconds:.0f} s."),
            seconds=max(1.0, seconds),
        )


@contextmanager
def under_way(person: Person) -> Iterator[None]:
    """Counts a request while it runs: each occupies one of the server's threads, and nobody may take all of them.
    Raises AccessError if the person has too many."""
    if person.is_local or person.pace is None:
        yield
        return
    most = person.pace.at_once or MOST_AT_ONCE
    if not person.pace.begin(most):
        raise PaceError(
            _n(
                "{count} request of yours is worked on at this moment, and no more at once.",
                "{count} requests of yours are worked on at this moment, and no more at once.",
            ),
            _("Wait until it is done.") if most == 1 else _("Wait until one of them is done."),
            count=most,
        )
    try:
        yield
    finally:
        person.pace.end()


def check_start(person: Person, count: int, everybodys: Iterable[Any], now: float) -> float:
    """Checks whether `count` more runs or tests may be started. everybodys: all that there are. now: UTC seconds.
    Returns the seconds that one attempt of a run may train, 0 for no limit. Raises AccessError."""
    if person.is_local:
        return 0.0
    allowed, everybodys = policy.read(), list(everybodys)
    mine = [run for run in everybodys if run.owner == person.id]
    for of, most, said in (
        (
            mine,
            allowed.waiting_runs,
            _n(
                "{count} run or test of yours waits or works, and {most} may at a time.",
                "{count} runs and tests of yours wait or work, and {most} may at a time.",
            ),
        ),
        (
            everybodys,
            allowed.all_runs,
            _n(
                "{count} run or test of this Space waits or works, and {most} may at a time.",
                "{count} runs and tests of this Space wait or work, and {most} may at a time.",
            ),
        ),
    ):
        going = sum(not run.state.is_final for run in of)
        if going + count > most:
            raise AccessError(said, _("Wait until one has ended, or cancel one."), count=going, most=most)
    left = check_minutes(person.id, everybodys, now)
    return max(60.0, min(allowed.hours * 3600, left))


def check_minutes(owner: str, everybodys: Iterable[Any], now: float) -> float:
    """The seconds that a person's runs may still train today, which their tests use, too. Raises AccessError if none
    are left."""
    allowed, everybodys = policy.read(), list(everybodys)
    mine = [run for run in everybodys if run.owner == owner]
    left = []
    for of, most, said in (
        (mine, allowed.minutes_a_day, _("{used:.0f} of your {most} minutes of training a day are used.")),
        (everybodys, allowed.all_minutes_a_day, _("{used:.0f} of this Space's {most} minutes a day are used.")),
    ):
        used = used_seconds(of, now)
        left.append(most * 60 - used)
        if used >= most * 60:
            raise AccessError(
                said, _("There are more as the last 24 hours pass. An admin may allow more."), used=used / 60, most=most
            )
    return min(left)


def used_seconds(runs: Iterable[Any], now: float) -> float:
    """Seconds of training in the last 24 hours."""
    total = 0.0
    for run in runs:
        last = run.last_event or run.ended or run.created
        # how much of an attempt lies before these hours is unknown: it counts as far as it could lie within them
        total += min(run.seconds if run.state.is_final else max(run.seconds, _running(run, now)), DAY_SECONDS) * (
            now - last < DAY_SECONDS
        )
    return total


def _running(run: Any, now: float) -> float:
    return run.worked + (max(0.0, now - run.started) if run.started else 0.0)


def check_spec(person: Person, spec: Any, rows: int, steps: int) -> None:
    """Raises AccessError if a run has more rows or steps than allowed."""
    if person.is_local:
        return
    allowed = policy.read()
    test = spec.test_dataset
    for name, count in ((spec.dataset.name, rows), *([(test.name, test.rows)] if test is not None else [])):
        if count > allowed.rows:
            raise AccessError(
                _("{name} has {rows:,} rows, and {most:,} may be trained on here."),
                _("Upload a part of it. An admin may allow more."),
                name=name,
                rows=count,
                most=allowed.rows,
            )
    if steps > allowed.steps:
        raise AccessError(
            _("The run would take {steps:,} steps, and {most:,} are allowed here."),
            _("Choose less effort, fewer epochs or a larger batch. An admin may allow more."),
            steps=steps,
            most=allowed.steps,
        )


def largest_upload() -> int:
    """Bytes of the largest file that a person may upload."""
    most = int(policy.read().upload_mb * MB)
    return min(most, settings.max_upload_bytes() or most)


def check_upload(person: Person, name: str, size: int, mine: int, everybodys: int) -> int:
    """size: bytes of the file. mine, everybodys: bytes already used. Returns the bytes that are left for this and
    other files. Raises AccessError."""
    allowed = policy.read()
    if size > allowed.upload_mb * MB:
        raise AccessError(
            _("{name} is {size:.1f} MB, and a file may have {most:g} MB here."),
            _("Upload a part of it. An admin may allow more."),
            name=name,
            size=size / MB,
            most=allowed.upload_mb,
        )
    if mine + size > allowed.disk_mb * MB:
        raise AccessError(
            _("{name} does not fit: {used:.0f} MB of your {most:g} MB are taken by files and runs."),
            _n(
                "Delete a run, or wait: files that no run uses are removed after one day.",
                "Delete a run, or wait: files that no run uses are removed after {count:g} days.",
            ),
            name=name,
            used=mine / MB,
            most=allowed.disk_mb,
            count=allowed.upload_days,
        )
    if everybodys + size > allowed.all_disk_mb * MB:
        raise AccessError(
            _("{name} does not fit: {used:.0f} MB of the {most:g} MB for everybody are taken."),
            _("Ask an admin to make room."),
            name=name,
            used=everybodys / MB,
            most=allowed.all_disk_mb,
        )
    return int(min(allowed.disk_mb * MB - mine, allowed.all_disk_mb * MB - everybodys))


def check_question(person: Person, panes: int, tokens: int, characters: int) -> int:
    """The maximum number of tokens in an answer; 0: the task's own. panes: answers asked for, of all models
    together. tokens: requested, 0 for the task's own. characters: of all texts in the question. Raises AccessError."""
    if person.is_local:
        return 0
    allowed = policy.read()
    if panes > allowed.panes:
        raise AccessError(
            _("{panes} answers are asked for at once, and {most} may be here."),
            _("Ask fewer models, or for fewer answers of each."),
            panes=panes,
            most=allowed.panes,
        )
    if characters > allowed.prompt_characters:
        raise AccessError(
            _("The question is {count:,} characters long, and {most:,} are allowed here."),
            _("Shorten it. An admin may allow more."),
            count=characters,
            most=allowed.prompt_characters,
        )
    if tokens > allowed.answer_tokens:
        raise AccessError(
            _("{count:,} tokens are asked for, and an answer may have {most:,} here."),
            _("Ask for fewer."),
            count=tokens,
            most=allowed.answer_tokens,
        )
    return allowed.answer_tokens


def bytes_below(*folders: Path) -> int:
    """Bytes of all files in these folders. A file with several hard links counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder in folders:
        for file in folder.rglob("*"):
            try:
                status = file.lstat()
            except OSError:  # deleted since it was listed
                continue
            if file.is_file() and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total
