"""The process of several runs on one base: prepare each, train them together or in turn, score and publish each.

A run that fails, or is cancelled, leaves the others alone. `python -m lora_hub.group_worker RUN RUN ...`
"""

import signal
import sys
from typing import Any

from lora_hub import endpoint
from lora_hub.errors import LoraHubError
from lora_hub.schema import RunState
from lora_hub.worker import Cancelled, Prepared, Worker, explain_crash, set_environment, take_slot


def run_group(run_ids: list[str]) -> int:
    """Does the work of all; the exit status is 0 only where every run succeeded."""
    members = [Member(run_id) for run_id in run_ids]

    def on_signal(*_: Any) -> None:
        for one in members:
            one.cancel()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    connection = None
    try:
        # The group waits for its turn as one run would; members cancelled meanwhile drop out below.
        with take_slot(lambda: all(one.cancelled() for one in members)):
            for one in members:
                one.report("state", state=RunState.RUNNING)
            if any(one.spec.publish_to or not one.spec.base.folder for one in members):
                connection = endpoint.connect()
            _train(members)
            for one in members:
                if one.goes_on:
                    one.do(one.publish)
    except Cancelled:
        for one in members:
            if one.goes_on:
                one.report("state", state=RunState.CANCELLED)
    except BaseException as error:
        told = error if isinstance(error, LoraHubError) else explain_crash(error)
        for one in members:
            if one.goes_on:
                one.fail(told)
        raise
    finally:
        if connection is not None:
            connection.close()
    return 0 if all(one.goes_on for one in members) else 1


class Member(Worker):
    """One of the runs. goes_on: nothing has gone wrong with it so far."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.goes_on = True
        self.prepared: Prepared | None = None

    def lose(self, task: Any) -> None:
        """It fails or is cancelled while the others are still being trained: said at once."""

        def end() -> None:
            raise task.error or Cancelled

        self.do(end)

    def do(self, work: Any) -> bool:
        """A part of this member's work; where it fails, the member ends and the others go on."""
        self.goes_on = self.told(work) and self.goes_on
        return self.goes_on


def _train(members: list[Member]) -> None:
    from lora_hub import loading, together
    from lora_hub.stack import AdapterStack
    from lora_hub.task_training import TaskTraining

    open_members = [one for one in members if not one.is_trained]
    if not open_members:
        return
    first = open_members[0].spec
    tokenizer = loading.load_tokenizer(first.base)

    def prepare(one: Member) -> None:
        one.prepared = one.prepare(tokenizer)

    open_members = [one for one in open_members if one.do(lambda one=one: prepare(one))]
    if not open_members:
        return
    for one in open_members:
        one.do(lambda one=one: one.phase("loading the base"))
    model = loading.load_base(first.base, precision=first.precision, quantization=first.quantization)
    open_members = [one for one in open_members if one.goes_on]
    tasks = [
        TaskTraining(one.spec, one.prepared.train, one.prepared.validation, one.folder, one.report, one.cancelled, one.lose) for one in open_members
    ]
    outcome = together.train_tasks(tasks, model, tokenizer)
    print(outcome.why.en, flush=True)
    stack = AdapterStack(model, first.base)
    for one, trained in zip(open_members, outcome.results, strict=True):
        if not one.goes_on:
            continue
        one.report("exam", mode=outcome.mode)
        one.note(outcome.why)

        def examine(one: Member = one, trained: Any = trained) -> None:
            if isinstance(trained, LoraHubError):
                raise trained
            one.examine(stack, tokenizer, one.prepared, trained)

        one.do(examine)


if __name__ == "__main__":
    set_environment()
    sys.exit(run_group(sys.argv[1:]))
