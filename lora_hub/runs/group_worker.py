"""The process of several runs on one base: prepare each, train them together or in turn, score and publish each.

A run that fails, or is cancelled, leaves the others alone. `python -m lora_hub.runs.group_worker RUN RUN ...`
"""

import contextlib
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lora_hub.core import run_lock
from lora_hub.core.crash import explain_crash
from lora_hub.core.errors import LoraHubError
from lora_hub.core.processes import set_environment, uncollected
from lora_hub.core.schema import RunState, Wait
from lora_hub.runs.owner import write_log
from lora_hub.runs.turns import Cancelled, Ticket, take_turn
from lora_hub.runs.worker import Prepared, Worker, read_arguments


def run_group(members: Sequence["Member"], ticket: Ticket | None = None, work: "Work | None" = None) -> int:
    """Does the work of all; the exit status is 0 only where every run succeeded. ticket: their place in the line, where
    they have one. work: what is done with all members between their first word and their publishing; None: they are
    trained here, for which they wait for their turn."""

    def on_signal(*_: Any) -> None:
        for one in members:
            one.cancel()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    def tell_place(place: Wait) -> None:
        for one in members:
            one.do(lambda one=one: one.wait(place))

    def all_are_gone() -> bool:
        """Who is cancelled while the group waits says so at once."""
        each("check_cancelled")
        return not any(one.goes_on for one in members)

    def each(part: str) -> None:
        for one in members:
            if one.goes_on:
                one.do(getattr(one, part))

    try:
        each("begin")
        # The group waits for its turn as one run would.
        turn = (
            take_turn([one.run_id for one in members], all_are_gone, tell_place, ticket)
            if work is None
            else contextlib.nullcontext()
        )
        with turn, contextlib.ExitStack() as hub:
            for one in members:
                if one.goes_on:
                    one.report("state", state=RunState.RUNNING)
            for one in members:
                if one.goes_on and one.needs_hub:
                    hub.enter_context(one.hub())
                    break
            (work or _train)(members)
            each("publish")
    except BaseException as error:
        write_log(f"the group ended: {explain_crash(error)}")

        def end(error: BaseException = error) -> None:
            raise error

        for one in members:
            if one.goes_on:
                one.do(end)
        if not isinstance(error, Cancelled | LoraHubError):
            raise
    finally:
        for one in members:
            one.leave()
    return 0 if all(one.goes_on for one in members) else 1


class Member(Worker):
    """One of the runs. goes_on: nothing has gone wrong with it so far."""

    def __init__(self, run_id: str, lock: run_lock.RunLock | None = None) -> None:
        super().__init__(run_id, lock)
        self.goes_on = True
        self.prepared: Prepared | None = None

    def lose(self, task: Any) -> None:
        """It fails or is cancelled while the others are still being trained: said at once."""

        def end() -> None:
            raise task.error or Cancelled

        self.do(end)

    def do(self, work: Any) -> bool:
        """A part of this member's work; where it fails, the member ends, may be resumed, and the others go on."""
        if self.goes_on and not self.told(work):
            self.goes_on = False
            self.leave()
        return self.goes_on

    def leave(self) -> None:
        """Its last step; a member that was lost has done it before the others."""
        if self.lock.is_open:
            self.tidy()
            self.end()


Work = Callable[[Sequence[Member]], None]


def _train(members: Sequence[Member]) -> None:
    open_members = [one for one in members if one.goes_on and not one.is_trained]
    for one in open_members:
        one.do(lambda one=one: one.phase("loading the libraries"))
    open_members = [one for one in open_members if one.goes_on]
    if not open_members:
        return
    with uncollected():
        from lora_hub.answering import loading
        from lora_hub.answering.stack import AdapterStack
        from lora_hub.training import together
        from lora_hub.training.task_training import TaskTraining

    first = open_members[0].spec
    tokenizer = loading.load_tokenizer(first.base)

    def prepare(one: Member) -> None:
        one.prepared = one.prepare(tokenizer)

    open_members = [one for one in open_members if one.do(lambda one=one: prepare(one))]
    if not open_members:
        return
    for one in open_members:
        one.do(lambda one=one: one.phase("loading the base"))
    open_members = [one for one in open_members if one.goes_on]
    if not open_members:
        return
    model = loading.load_base(first.base, precision=first.precision, quantization=first.quantization)
    for one in open_members:
        one.do(lambda one=one: one.replay(model, tokenizer, one.prepared))
    open_members = [one for one in open_members if one.goes_on]
    if not open_members:
        return
    trained: dict[str, Any] = {}
    # One that tries several settings fills the stack by itself, when its turn to be scored has come.
    if alone := [one for one in open_members if not one.spec.sweep]:
        tasks = [
            TaskTraining(
                one.spec,
                one.prepared.train,
                one.prepared.validation,
                one.folder,
                one.report,
                one.cancelled,
                one.lose,
                one.parent,
            )
            for one in alone
        ]
        write_log("training")
        outcome = together.train_tasks(tasks, model, tokenizer)
        write_log(str(outcome.why))
        trained = dict(zip([one.run_id for one in alone], outcome.results, strict=True))
    stack = AdapterStack(model, first.base)
    for one in open_members[1:]:
        one.do(lambda one=one: one.phase("waiting to be scored"))
    for one in open_members:
        if not one.goes_on:
            continue
        if one.run_id in trained:
            one.report("exam", mode=outcome.mode)
            one.note(outcome.why)

        def examine(one: Member = one) -> None:
            made = trained[one.run_id] if one.run_id in trained else one.train(model, tokenizer, one.prepared)
            if isinstance(made, LoraHubError):
                raise made
            one.examine(stack, tokenizer, one.prepared, made)

        one.do(examine)


if __name__ == "__main__":
    set_environment()
    names, locks, place = read_arguments(sys.argv[1:])
    sys.exit(run_group([Member(name, lock) for name, lock in zip(names, locks, strict=True)], place))
