"""Test sets: rows that many models answer in a process of its own, and what that says of them."""

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.compare import Comparer, Pane, test_sets
from lora_hub.compare.test_sets import TestReader, TestRow, TestSpec, TestState
from lora_hub.core import settings, store
from lora_hub.core.errors import AccessError, AdapterError, RunError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import DatasetInfo, Problem
from lora_hub.people import Person, limits, policy, rules
from lora_hub.people.rules import Action
from lora_hub.runs import refresh_run
from lora_hub.use_cases import datasets, training
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.comparing import commit_of, resolved, with_examples
from lora_hub.use_cases.judging import check_fits, chosen_judge
from lora_hub.use_cases.watching import check_sees


@dataclass(frozen=True)
class TestReport:
    """A test with what it found. result: as `compute_result` made it; None: not yet. rows: with everybody's answer;
    empty: not yet. problems: what makes scores less meaningful."""

    __test__ = False  # pytest takes its name for a test's

    state: TestState
    result: dict[str, Any] | None
    rows: list[TestRow]
    problems: list[Problem]


@use_case(Action.TRAIN, counted=True)
def start_test(
    person: Person,
    comparer: Comparer,
    adapters: Sequence[str | Pane],
    *,
    file: Path | None = None,
    run: str = "",
    mapping: dict[str, str] | None = None,
    base: bool = True,
    examples: bool = True,
    max_rows: int = 0,
    base_of: str = "",
    judge: str = "",
    judge_model: str = "",
    plain_http: bool = False,
) -> TestState:
    """Starts a test of adapters of one base and task on the rows of a file of this person's, or on those that a run
    held out. max_rows: 0 for all. base_of: the base where it lies elsewhere than the adapters say, for whoever sits at
    the machine. judge, judge_model, plain_http: as `choose_judge`, for a task that is answered in text; empty: none.
    The file is read before anything starts. Raises SpecError, DataError, AdapterError, BaseError,
    RunError, and AccessError where it exceeds a limit."""
    if (file is None) == (not run):
        raise SpecError(_("A test has one set of rows."), _("Choose a file, or a run whose held-out rows are asked."))
    if not adapters or len(adapters) > test_sets.MOST_ADAPTERS:
        raise AdapterError(
            _("{count} adapters were chosen; a test takes 1 to {most}."),
            _("Choose at least one, and leave some out where they are too many."),
            count=len(adapters),
            most=test_sets.MOST_ADAPTERS,
        )
    panes = [with_examples(person, pane) for pane in resolved(person, comparer, [*adapters])]
    asked = test_sets.ask_panes(panes, base=base, examples=examples)
    judged_by = None
    if judge.strip():
        check_fits(asked.task)
        judged_by = chosen_judge(person, comparer, judge, model=judge_model, plain_http=plain_http)
    info, name, run_owner = None, run, ""
    if file is not None:
        datasets.check_own(person, file)
        kept = store.add_dataset(file, owner=datasets.owner_of(person))
        read = test_sets.read_file(kept, asked.task, mapping, asked.mends, max_rows=max_rows)
        name, rows = kept.name, len(read.examples)
        found = store.dataset_fingerprint(kept)
        info = DatasetInfo(
            fingerprint=found, name=name, rows=rows, columns=(), format="", owner=datasets.owner_of(person)
        )
    else:
        check_sees(person, run)
        run_owner = refresh_run(run).owner
        rows = len(test_sets.read_held_out_rows(run, max_rows=max_rows).examples)
    _check_rows(person, name, rows)
    spec = TestSpec(
        id=test_sets.new_id(asked.task.id),
        owner=person.id,
        created=time.time(),
        name=name,
        dataset=info,
        run=run,
        run_owner=run_owner,
        task=asked.task,
        mapping=mapping or {},
        mends=asked.mends,
        adapters=tuple(pane.name for pane in panes),
        commits=tuple(map(commit_of, panes)),
        base_of=base_of if person.is_local else "",
        base=base,
        examples=examples,
        examples_of=next((pane.run for pane in panes if pane.shown and pane.run), ""),
        max_rows=max_rows,
        judge=judged_by,
    )
    with training.counting(person):
        _check_start(person)
        return test_sets.start_test(spec, _environment(person, spec))


def _environment(person: Person, spec: TestSpec) -> dict[str, str]:
    """A test's process has the key of its judge; no other has."""
    key = os.environ.get(settings.JUDGE_KEY, "")
    asks = {settings.JUDGE_KEY: key} if key and spec.judge is not None and spec.judge.url else {}
    return {**training.child_environment(person), **asks}


def _check_rows(person: Person, name: str, rows: int) -> None:
    if not person.is_local and rows > policy.read().rows:
        raise AccessError(
            _("{name} has {rows:,} rows, and {most:,} may be tested on here."),
            _("Take a part of it. An admin may allow more."),
            name=name,
            rows=rows,
            most=policy.read().rows,
        )


def _check_start(person: Person) -> None:
    """Tests count among a person's runs: those that wait or work, and minutes of a day."""
    if not person.is_local:
        limits.check_start(person, 1, training.everybodys(person), time.time())


@use_case(Action.BROWSE)
def list_tests(person: Person, reader: TestReader | None = None) -> list[TestState]:
    """The tests that this person may see, newest first, as `test_sets.list_tests`."""
    return [one for one in test_sets.list_tests(reader) if rules.can_see(person, one)]


@use_case(Action.BROWSE)
def refresh_test(person: Person, test_id: str) -> TestState:
    """A test as it is now. Raises RunError where there is none that this person may see."""
    return _seen(person, test_id)


@use_case(Action.BROWSE)
def read_test(person: Person, test_id: str) -> TestReport:
    """A test with what it found. Raises RunError: none that this person may see, or a damaged one."""
    state = _seen(person, test_id)
    folder = test_sets.folder_of(test_id)
    result = test_sets.read_result(folder)
    if result is None:
        return TestReport(state, None, [], [])
    rows = test_sets.read_rows(folder) or []
    answers = test_sets.read_answers(folder, len(rows))
    judged = test_sets.judge_rows(state.spec.task, rows, answers)
    return TestReport(state, result, judged, test_sets.read_problems(folder))


@use_case(Action.BROWSE)
def check_test(person: Person, test_id: str) -> list[Any]:
    """Every number of a test computed again from its files, as `test_sets.check_test`."""
    _seen(person, test_id)
    return test_sets.check_test(test_id)


@use_case(Action.TRAIN, counted=True)
def cancel_test(person: Person, test_id: str) -> TestState:
    """Ends a test of this person or, for an admin, anybody's. Raises RunError, AccessError."""
    _owned(person, test_id)
    return test_sets.cancel_test(test_id)


@use_case(Action.TRAIN, counted=True)
def resume_test(person: Person, test_id: str) -> TestState:
    """Goes on with a test that did not end well. Raises RunError, AccessError."""
    spec = _owned(person, test_id).spec
    with training.counting(person):
        _check_start(person)
        return test_sets.resume_test(test_id, _environment(person, spec))


@use_case(Action.TRAIN, counted=True)
def share_test(person: Person, test_id: str, visibility: str) -> TestState:
    """Sets who may read a test, with its rows and answers: "private" or "organization". Raises RunError, SpecError, and
    AccessError also where the rows are those of another person's run that is not shared."""
    state = _owned(person, test_id)
    if visibility != "private":
        _check_rows_may_be_shown(state.spec)
    return test_sets.share_test(test_id, visibility)


def _check_rows_may_be_shown(spec: TestSpec) -> None:
    """An admin may test on the rows of anybody's run, and only that person shows them to others."""
    if not spec.run or spec.run_owner == spec.owner:
        return
    with contextlib.suppress(RunError):  # it was deleted
        run = refresh_run(spec.run)
        if run.owner == spec.owner or run.visibility != "private":
            return
    raise AccessError(
        _("The rows of this test are those of the run {run}, which is another person's and not shared."),
        _("Ask its owner to share the run first."),
        run=spec.run,
    )


@use_case(Action.TRAIN, counted=True)
def delete_test(person: Person, test_id: str) -> None:
    """Deletes a test that has ended. Raises RunError, AccessError."""
    _owned(person, test_id)
    test_sets.delete_test(test_id)


def _seen(person: Person, test_id: str) -> TestState:
    """Raises RunError with one message for a test that there is not and one that is somebody else's."""
    try:
        state = test_sets.look(test_id)
    except RunError:
        if person.role == "admin":
            raise
        state = None
    if state is None or not rules.can_see(person, state):
        raise RunError(
            _("There is no test {test_id!r} that you may see."),
            _("Choose one of the list, or ask its owner to share it."),
            test_id=test_id[:160],
        )
    return state


def _owned(person: Person, test_id: str) -> TestState:
    state = _seen(person, test_id)
    rules.check_owner(person, state)
    return state
