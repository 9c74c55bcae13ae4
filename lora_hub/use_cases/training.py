"""Everything that creates or changes runs: plan, start, cancel, resume, delete."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lora_hub import hub, runs
from lora_hub.catalogue import bases
from lora_hub.compare import test_sets
from lora_hub.compare.test_sets import TestState
from lora_hub.core import file_lock, settings, store
from lora_hub.core.errors import BaseError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel, Hired, Run, Task, TrainSpec
from lora_hub.people import STRANGER, Person, limits, policy, rules
from lora_hub.people.rules import Action
from lora_hub.runs import pipeline as pipelines
from lora_hub.use_cases import datasets
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.publishing import asked_as, token_of
from lora_hub.use_cases.watching import check_sees, owned, seen

# A repository's name with a revision is shorter, and no file system has longer file names.
MOST_NAME_BYTES = 250
# After a run has waited for longer than this, its owner's rights are checked again.
WAITED_SECONDS = 300.0


@use_case(Action.BROWSE)
def check_base(person: Person, base: BaseModel) -> None:
    """Raises BaseError if this person may not train on a base or ask it."""
    check_allowed(person, base)
    runs.check_base(base)


@use_case(Action.BROWSE)
def find_base(person: Person, name: str) -> BaseModel:
    """The base of an id or, for whoever sits at the machine, of a folder. Raises BaseError, SpecError."""
    if not person.is_local and is_place(name):
        raise _no_folder()
    base = bases.get_base(name)
    check_allowed(person, base)
    return base


@use_case(Action.TRAIN, counted=True)
def find_parent(person: Person, name: str, **named: Any) -> runs.ParentAdapter:
    """As `runs.find_parent`: an adapter of the Hub as this person sees it, or of a run that they may see. Raises like
    it, and RunError."""
    name = name.strip()
    if name in store.list_run_ids():
        check_sees(person, name)
    found = runs.find_parent(name, **named)
    check_allowed(person, found.base)
    return found


def is_place(name: str) -> bool:
    """Whether a name is a folder's, or could be one. Names on the Hub are never so long."""
    is_path = name.startswith(("/", ".", "~")) or "\\" in name or name.count("/") > 1
    return is_path or len(name.encode(errors="replace")) > MOST_NAME_BYTES or Path(name).exists()


@use_case(Action.BROWSE, counted=True)
def look_for_base(person: Person, base: BaseModel) -> None:
    """Asks the Hub whether it has a base. Raises BaseError, HubError."""
    check_allowed(person, base)
    hub.check_base(base)


def _no_folder() -> BaseError:
    return BaseError(
        _("A folder of this machine can be no base here."), _("Choose one of the list, or an id of the Hub.")
    )


def check_allowed(person: Person, base: BaseModel) -> None:
    """Raises BaseError if this person may not use a base: a folder of this machine, or a base that the organization
    does not allow."""
    if person.is_local:
        return
    if base.folder and base.id != bases.BUILT_IN and base.origin is None:
        raise _no_folder()
    if policy.read().bases == "catalogue" and not bases.is_ours(base):
        raise BaseError(
            _("The base {base} is not one of those that {organization} allows here."),
            _("Choose one of the list. An admin may allow others."),
            base=f"{base.id}@{base.revision}" if base.revision else base.id,
            organization=settings.organization(),
        )


@use_case(Action.TRAIN)
def plan_run(person: Person, file: Path, task: Task, base: BaseModel, **named: Any) -> runs.Plan:
    """As `runs.plan_run`, for this person's files. Raises AccessError if it exceeds their limits."""
    _check_parts(person, base, file, named.get("test_file"))
    return within_limits(person, runs.plan_run(file, task, base, **named))


@use_case(Action.TRAIN)
def plan_inspected(person: Person, seen: Any, base: BaseModel, **named: Any) -> runs.Plan:
    """As `runs.plan_inspected`, for this person's files. Raises AccessError if it exceeds their limits."""
    file = None if person.is_local else store.dataset_file(seen.info)
    _check_parts(person, base, file, named.get("test_file"))
    return within_limits(person, runs.plan_inspected(seen, base, **named))


def _check_parts(person: Person, base: BaseModel, *files: Path | None) -> None:
    check_allowed(person, base)
    for file in files:
        if file is not None:
            datasets.check_own(person, file)


def within_limits(person: Person, plan: runs.Plan) -> runs.Plan:
    limits.check_spec(person, plan.spec, plan.inspection.info.rows, plan.estimate.steps)
    return plan


@use_case(Action.TRAIN)
def hire(person: Person, work: Sequence[tuple[TrainSpec, float]], flavor: str, **named: Any) -> Hired:
    """As `runs.hire`: what starting this person's runs on hired hardware would mean. Raises like it."""
    return runs.hire(work, flavor, **named)


@use_case(Action.TRAIN, counted=True)
def start_runs(
    person: Person, specs: Sequence[TrainSpec], *, environment: dict[str, str] | None = None, **named: Any
) -> list[Run]:
    """Starts runs on one base as this person's; arguments as `runs.start_runs`. Raises like it, and AccessError if
    there are too many."""
    for spec in specs:
        if spec.parent is not None and spec.parent.run in store.list_run_ids():
            check_sees(person, spec.parent.run)
    for base in {spec.base.id: spec.base for spec in specs}.values():
        check_allowed(person, base)
        if not person.is_local:
            runs.check_base(base)  # with their own token, and before others have to wait at the limits
            named["base_checked"] = True
    publishes, hired = any(spec.publish_to for spec in specs), named.get("hired")
    given = {**(environment or {}), **child_environment(person, publishes=publishes, hires=hired is not None)}
    with counting(person), asked_as(person) if publishes else nullcontext():
        most_seconds = limits.check_start(person, len(specs), everybodys(person), time.time())
        if hired is not None and most_seconds:
            named["hired"] = hired.model_copy(update={"most_seconds": min(hired.most_seconds, most_seconds)})
        return runs.start_runs(
            specs,
            owner=person.id,
            most_seconds=most_seconds,
            environment=given,
            check=_still_trains(person),
            **named,
        )


@use_case(Action.TRAIN)
def start_run(person: Person, spec: TrainSpec, **named: Any) -> Run:
    """The same for one run."""
    return start_runs(person, [spec], **named)[0]


@use_case(Action.TRAIN, counted=True)
def start_pipeline(
    person: Person, asked: Any, *, fetch: Callable[[str], Path] | None = None, **named: Any
) -> list[pipelines.Started]:
    """As `pipelines.start_pipeline`, from the shell: its files are paths on this machine. Raises AccessError for
    anybody else."""
    if not person.is_local:
        raise LoraHubError(_("A pipeline's file names folders of the machine it is started on."), _("Use the shell."))
    return pipelines.start_pipeline(asked, fetch=fetch, **named)


@use_case(Action.TRAIN, counted=True)
def cancel_run(person: Person, run_id: str, **named: Any) -> Run:
    """Ends a run of this person or, for an admin, anybody's. Raises RunError, AccessError."""
    owned(person, run_id)
    runs.cancel_run(run_id, **named)
    return seen(person, run_id)


@use_case(Action.TRAIN, counted=True)
def resume_run(person: Person, run_id: str, *, room: runs.WaitingRoom | None = None) -> Run:
    """Resumes a run of this person. Raises RunError, AccessError."""
    run = owned(person, run_id)
    is_resumable = run.state in runs.RESUMABLE
    if is_resumable:
        check_allowed(person, run.spec.base)
    publishes = is_resumable and bool(run.spec.publish_to)
    given = child_environment(person, publishes=publishes, hires=is_resumable and run.hired is not None) or None
    with counting(person), asked_as(person) if publishes else nullcontext():
        if is_resumable:
            limits.check_start(person, 1, everybodys(person), time.time())
        runs.resume_run(run_id, environment=given, room=room, check=_still_trains(person))
    return seen(person, run_id)


@use_case(Action.TRAIN, counted=True)
def delete_run(person: Person, run_id: str) -> None:
    """Deletes a run that has ended, with its folder; published adapters stay. Raises RunError, AccessError."""
    owned(person, run_id)
    runs.delete_run(run_id)


def child_environment(person: Person, *, publishes: bool = False, hires: bool = False) -> dict[str, str]:
    """A person's part of a run's process environment: their token, and none of the app's secrets. publishes: the run
    publishes at its end, with the Space's token if the organization wants that. hires: it starts a job, which is always
    the person's own; the Space's token is then beside theirs."""
    if person.is_local:
        return {}
    token = token_of(person) if publishes else person.token
    # Without a token the client would read one from a file, which is that of the machine's own person.
    others = {"HUGGING_FACE_HUB_TOKEN": "", "HF_TOKEN_PATH": os.devnull, **dict.fromkeys(settings.SECRETS, "")}
    if hires and token != person.token:
        return {"HF_TOKEN": person.token, **others, settings.SERVICE_TOKEN: token}
    return {"HF_TOKEN": token, **others}


def take_up_hired() -> list[str]:
    """Follows the jobs again that nobody follows since this machine was restarted, as `runs.take_up_hired`."""
    return runs.take_up_hired()


def take_up_waiting(room: runs.WaitingRoom) -> list[str]:
    """Lets runs that were waiting when the app ended wait again, as `runs.take_up_waiting`. Their owners are known but
    the tokens are lost, so these runs train without one and are published by hand."""
    return runs.take_up_waiting(room, child_environment(STRANGER))


def _still_trains(person: Person) -> Callable[[], None] | None:
    """A check for when a run's turn comes, possibly hours later. It raises AccessError if the owner has since been
    removed from the organization. If the Hub cannot be asked, its last answer stays valid."""
    if person.is_local:
        return None
    known = time.monotonic()

    def check() -> None:
        if time.monotonic() - known < WAITED_SECONDS:
            return
        try:
            now = hub.look_up(person.token)
        except LoraHubError:
            return
        if now is not None:  # None: the token has expired, and the last known rights stay valid
            rules.check(now, Action.TRAIN)

    return check


@contextmanager
def counting(person: Person) -> Iterator[None]:
    """Inside this block nobody else's runs are counted and started, so that of two simultaneous requests only one gets
    the last place. Whoever sits at the machine does not wait."""
    if person.is_local:
        yield
        return
    folder = settings.people_dir()
    with store.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with file_lock.alone(folder / ".starting"):
        yield


def everybodys(person: Person) -> list[Run | TestState]:
    """What counts where this person wants to start something: everybody's runs and tests. Nothing counts for whoever
    sits at the machine."""
    return [] if person.is_local else [*runs.list_runs(), *test_sets.list_tests()]
