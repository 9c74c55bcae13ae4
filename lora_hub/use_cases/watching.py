"""Reading runs: the list, one run's progress, its log and results, and who else may see it."""

from collections.abc import Callable
from typing import Any

from lora_hub import runs
from lora_hub.core import events, store
from lora_hub.core.disk import without_places
from lora_hub.core.errors import RunError, SpecError
from lora_hub.core.messages import _, several
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Run
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case


@use_case(Action.BROWSE)
def list_runs(person: Person, reader: RunReader | None = None) -> list[Run]:
    """The runs that this person may see, newest first, as `runs.list_runs`."""
    return visible(person, runs.list_runs(reader))


@use_case(Action.BROWSE)
def refresh_run(person: Person, run_id: str, reader: RunReader | None = None) -> Run:
    """The run as it is now. Raises RunError if there is none that this person may see."""
    return seen(person, run_id, reader)


@use_case(Action.BROWSE)
def wait_for_run(
    person: Person, run_id: str, on_change: Any = None, poll: float = 0.3, reader: RunReader | None = None
) -> Run:
    """As `runs.wait_for_run`, for a run that this person may see."""
    check_sees(person, run_id, reader)
    return runs.wait_for_run(run_id, on_change, poll, reader)


@use_case(Action.BROWSE)
def read_log(person: Person, run_id: str, lines: int = 200, reader: RunReader | None = None) -> str:
    """The last lines of a run's log. It quotes the machine, so only people who may change the run can read it, and
    visitors of the machine read it without the machine's paths."""
    if person.role != "admin" and not rules.can_change(person, seen(person, run_id, reader)):
        return ""
    log = runs.read_log(run_id, lines, reader)
    return log if person.is_local else without_places(log)


@use_case(Action.BROWSE)
def read_held_out(person: Person, run_id: str, reader: RunReader | None = None) -> Any:
    """The held-out rows of a run that this person may see; sharing a run shares them."""
    check_sees(person, run_id, reader)
    return runs.read_held_out(run_id, reader)


@use_case(Action.TRAIN, counted=True)
def share_run(person: Person, run_id: str, visibility: str) -> Run:
    """Sets who may see a run: "private", "organization" or "public". Raises RunError, AccessError, SpecError."""
    run = owned(person, run_id)
    if visibility not in events.VISIBILITIES:
        raise SpecError(
            _("A run cannot be {visibility!r}."),
            _("It is one of: {choices}."),
            visibility=visibility[:40],
            choices=several(events.VISIBILITIES, "or"),
        )
    if run.visibility != visibility:
        with store.disk_errors(store.run_folder(run_id)):
            events.app_log(store.events_file(run_id)).append("shared", visibility=visibility)
    return seen(person, run_id)


def visible(person: Person, known: list[Run]) -> list[Run]:
    """The runs that a person may see, as they may see them."""
    if person.role == "admin":
        return known
    shown = [run for run in known if rules.can_see(person, run)]
    names = {run.id for run in shown}
    return [_without_others(run, names.__contains__) for run in shown]


def _without_others(run: Run, is_shown: Callable[[str], bool]) -> Run:
    """A waiting run, with no name for a run before it that the person may not see."""
    if run.waits is None:
        return run
    before = tuple(name if is_shown(name) else "" for name in run.waits.before)
    return run.model_copy(update={"waits": run.waits.model_copy(update={"before": before})})


def seen(person: Person, run_id: str, reader: RunReader | None = None) -> Run:
    """A run that this person may see. Raises RunError, with the same message as if no run had that name."""
    if person.role == "admin":
        return runs.refresh_run(run_id, reader)
    there, reader = set(store.list_run_ids()), reader or RunReader()

    def is_shown(name: str) -> bool:
        return name in there and rules.can_see(person, store.read_run(name, reader))

    if not is_shown(run_id):
        raise RunError(
            _("There is no run {run_id!r} that you may see."),
            _("Choose one of the list, or ask its owner to share it."),
            run_id=run_id[:160],
        )
    return _without_others(runs.refresh_run(run_id, reader), is_shown)


def check_sees(person: Person, run_id: str, reader: RunReader | None = None) -> None:
    """Raises RunError if this person sees no such run. Admins see every run, so nothing is read for them; what reads it
    next tells that there is none."""
    if person.role != "admin":
        seen(person, run_id, reader)


def may_see(person: Person, run_id: str) -> bool:
    """Whether this person sees a run of this id."""
    try:
        seen(person, run_id)
    except RunError:
        return False
    return True


def check_changes(person: Person, run_id: str) -> None:
    """Raises RunError if this person sees no such run, AccessError if it is another's. Admins change every run, so
    nothing is read for them."""
    if person.role != "admin":
        owned(person, run_id)


def owned(person: Person, run_id: str) -> Run:
    """A run that this person may change. Raises RunError if there is none, AccessError if it is another's."""
    run = seen(person, run_id)
    rules.check_owner(person, run)
    return run
