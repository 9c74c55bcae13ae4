"""A run's own process: prepare, train, score, publish. `python -m lora_hub.runs.worker RUN`; several runs of one base
go to group_worker.py.

It owns the run (run_lock.py), writes its events, and nothing else speaks for it. It waits for its turn (turns.py),
survives the app, ends in words whatever happens, and on SIGTERM ends as cancelled.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lora_hub.core import processes, run_lock, settings, store
from lora_hub.core.crash import explain_crash
from lora_hub.core.errors import LoraHubError
from lora_hub.core.events import EventLog, Folding
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Event, EventKind, Run, RunState, Task, TrainSpec, Wait
from lora_hub.evaluation.minimum import below_minimum
from lora_hub.hub import endpoint, record
from lora_hub.runs import run_rows, run_states
from lora_hub.runs.run_data import count_rows, read_split, too_long_note
from lora_hub.runs.turns import Cancelled, take_turn

if TYPE_CHECKING:
    from lora_hub.data.prompts.prepare import Encoded

# What the phase says of who is scored.
SCORED = {"base": "base", "base_examples": "base with examples", "adapter": "adapter"}
# A page looks every two seconds; what is told more often only makes the run's file longer.
TELL_SECONDS = 0.5
# So many rows become tokens between two words about it.
ENCODED_ROWS = 500


@dataclass
class Prepared:
    """A run's rows, ready to train on. task: with its labels frozen. counts: what became of every row, as
    `run_data.count_rows` says."""

    task: Task
    train: "Encoded"
    validation: "Encoded"
    held_out: "Encoded"
    counts: dict[str, int]


class Worker:
    """One run's work. `cancelled` turns true on SIGTERM, or where this run of several was cancelled, and is asked at
    every step.

    lock: the run's, where it was handed over; else it is taken here. Raises RunError where another process has it.
    """

    def __init__(self, run_id: str, lock: run_lock.RunLock | None = None) -> None:
        self.run_id = run_id
        self.folder = store.run_folder(run_id)
        self.lock = lock or store.own_run(run_id)
        self.spec: TrainSpec = store.read_spec(run_id)
        # Nobody but the owner tells what becomes of the run, so its file is read once.
        self.folding = Folding()
        for event in store.read_events(run_id):
            self.folding.add(event.model_dump())
        self.log = EventLog(
            self.folder / "events.jsonl", f"worker-{os.getpid()}-{time.time_ns()}", self.folder / store.RESERVE
        )
        self._cancelled = False
        self._told = 0.0

    @property
    def now(self) -> Run:
        """The run as it stands."""
        return self.folding.run(self.run_id, self.spec)

    def report(self, kind: EventKind, **data: Any) -> Event:
        """Tells an event."""
        event = self.log.append(kind, **data)
        self.folding.add(event.model_dump())
        return event

    def cancel(self, *_: Any) -> None:
        """Ends the run at its next step. Also the handler of a signal."""
        self._cancelled = True

    def cancelled(self) -> bool:
        return self._cancelled or store.is_cancel_asked(self.run_id)

    def check_cancelled(self) -> None:
        if self.cancelled():
            raise Cancelled

    def phase(self, name: str) -> None:
        """Says what is being done now, in events and in the log."""
        self.check_cancelled()
        self.say(name)

    def say(self, name: str) -> None:
        write_log(name)
        step, total = self.folding.steps
        self.report("progress", phase=name, step=step, total=total, eta=None)

    def part(self, name: str, done: int, total: int) -> None:
        """Says how far the phase is, not more often than somebody looks."""
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            step, steps = self.folding.steps
            self.report("progress", phase=f"{name} ({done} of {total})", step=step, total=steps, eta=None)

    def wait(self, place: Wait) -> None:
        """Says which place in the line the run has."""
        write_log(f"place {place.place} in the queue, behind {', '.join(place.before)}")
        step, total = self.folding.steps
        self.report(
            "progress", phase="waiting for its turn", step=step, total=total, eta=None, **place.model_dump(mode="json")
        )

    def note(self, said: Message) -> None:
        """Says something about the run that stays on its page."""
        self.report("exam", note=said)

    def begin(self) -> None:
        """What a process does first: it says who it is where its starter could not, and keeps room for its last
        words."""
        run = self.now
        write_log(f"run {self.run_id}" + (f", attempt {run.attempt}" if run.attempt > 1 else ""))
        identity = processes.identify(os.getpid())
        if {**run.handle, **identity} != run.handle:
            self.report("handle", handle=identity)
        store.keep_reserve(self.run_id)

    def end(self) -> None:
        """What a process does last with a run: from here on it may be resumed, and belongs to whoever does."""
        if not self.lock.is_open:
            return
        (self.folder / store.RESERVE).unlink(missing_ok=True)
        self.lock.close()

    def run(self) -> int:
        """Does the work; the exit status is 0 only where the run succeeded."""
        signal.signal(signal.SIGTERM, self.cancel)
        signal.signal(signal.SIGINT, self.cancel)

        def work() -> None:
            self.begin()
            with take_turn([self.run_id], self.cancelled, self.wait):
                self.report("state", state=RunState.RUNNING)
                with self.hub():
                    self._work()
                    self.publish()

        try:
            return 0 if self.told(work) else 1
        finally:
            self.end()

    @property
    def needs_hub(self) -> bool:
        return bool(self.spec.publish_to or not self.spec.base.folder)

    @contextlib.contextmanager
    def hub(self) -> Iterator[None]:
        """The Hub is there where the run needs it."""
        if not self.needs_hub:
            yield
            return
        self.say("connecting to the Hub")
        connection = endpoint.connect()
        try:
            yield
        finally:
            connection.close()

    def told(self, work: Callable[[], Any]) -> bool:
        """Does a part of the work; whether it went well. How it ended otherwise is said in the events."""
        try:
            work()
            return True
        except Cancelled:
            write_log("cancelled")
            self.report("state", state=RunState.CANCELLED)
        except BaseException as error:
            write_log(
                f"error: {error}" if isinstance(error, LoraHubError) else "".join(traceback.format_exception(error))
            )
            self.fail(explain_crash(error))
        return False

    def fail(self, error: LoraHubError) -> None:
        # What was published or trained before the failure stays in the events: publishing can be tried again.
        self.report("error", message=error.said, hint=error.advice)
        self.report("state", state=RunState.SUCCEEDED if self.is_trained else RunState.FAILED)

    @property
    def is_trained(self) -> bool:
        """Trained and scored already; only the publishing is left to do."""
        return bool(self.now.adapter_folder)

    def _work(self) -> None:
        if self.is_trained:
            return
        self.phase("loading the libraries")
        from lora_hub.answering import loading
        from lora_hub.answering.stack import AdapterStack

        tokenizer = loading.load_tokenizer(self.spec.base)
        prepared = self.prepare(tokenizer)
        self.phase("loading the base")
        model = loading.load_base(self.spec.base, precision=self.spec.precision, quantization=self.spec.quantization)
        trained = self._train(model, tokenizer, prepared)
        self.examine(AdapterStack(model, self.spec.base), tokenizer, prepared, trained)

    def _train(self, model: Any, tokenizer: Any, prepared: Prepared) -> Any:
        from lora_hub.training import together
        from lora_hub.training.task_training import TaskTraining

        task = TaskTraining(self.spec, prepared.train, prepared.validation, self.folder, self.report, self.cancelled)
        # One that was begun together with others goes on from the checkpoint that was written there.
        mode = "together" if task.checkpoint.is_file() else "in turn"
        trained = together.train_tasks([task], model, tokenizer, mode=mode).results[0]
        if isinstance(trained, LoraHubError):
            raise trained
        return trained

    def prepare(self, tokenizer: Any) -> Prepared:
        """Reads and encodes the rows. Raises DataError where they are not to be trained on."""
        from lora_hub.data.prompts import prepare
        from lora_hub.training import recipe

        spec = self.spec
        self.phase("reading the data")
        task, split, notes = read_split(spec)
        for said in notes:
            self.note(said)
        if uneven := recipe.uneven_batch(spec):
            self.note(_("{setting}: {uneven}.", setting=f"micro_batch = {spec.micro_batch}", uneven=uneven))
        encoded, validation, held_out = self._encode(tokenizer, task, [split.train, split.validation, split.test])
        prepare.check_trainable(encoded, len(split.train), spec.max_length)
        for part, rows in (("training", encoded), ("validation", validation), ("held-out", held_out)):
            if rows.too_long:
                self.note(too_long_note(part, rows.too_long, spec.max_length))
        if not held_out.examples or not validation.examples:
            prepare.check_trainable(held_out if not held_out.examples else validation, len(split.test), spec.max_length)
        counts = count_rows(task, split, encoded, validation, held_out)
        self.report("exam", **counts)
        write_log(f"{len(encoded.rows)} rows, {encoded.trained_tokens} tokens trained on an epoch")
        return Prepared(task, encoded, validation, held_out, counts)

    def _encode(self, tokenizer: Any, task: Task, parts: list[list[Any]]) -> list["Encoded"]:
        """The rows of each part as tokens; says how far it is."""
        from lora_hub.data.prompts import prepare

        self.phase("tokenizing")
        total, done, found = sum(map(len, parts)), 0, []
        for examples in parts:
            whole = prepare.Encoded([], [], [])
            for place in range(0, len(examples), ENCODED_ROWS):
                some = prepare.encode_examples(
                    tokenizer, task, examples[place : place + ENCODED_ROWS], self.spec.max_length
                )
                for kept, more in (
                    (whole.rows, some.rows),
                    (whole.examples, some.examples),
                    (whole.too_long, some.too_long),
                ):
                    kept.extend(more)
                done += len(examples[place : place + ENCODED_ROWS])
                self.check_cancelled()
                self.part("tokenizing", done, total)
            found.append(whole)
        return found

    def examine(self, stack: Any, tokenizer: Any, prepared: Prepared, trained: Any) -> None:
        """Base and adapter answer the held-out rows; the record and the scores are written."""
        from lora_hub.evaluation import exam

        self.check_cancelled()
        write_log(
            f"best validation loss {trained.best_loss:.4f} at step {trained.best_step} of {trained.steps}, "
            f"{trained.seconds:.1f} s"
        )
        self.say_how_it_ended(trained)
        stack.attach(trained.folder, self.run_id)
        task, scored = prepared.task, prepared.held_out.examples
        who = ""

        def begin(one: str) -> None:
            nonlocal who
            who = f"scoring the {SCORED[one]}"
            self.phase(who)

        try:
            found = exam.hold_exam(
                stack,
                tokenizer,
                task,
                scored,
                self.run_id,
                trained=prepared.train.examples,
                unscored=prepared.validation.examples,
                seed=self.spec.seed,
                begin=begin,
                progress=lambda done, total: self.part(who, done, total),
                cancelled=self.cancelled,
            )
        finally:
            stack.detach(self.run_id)  # the next of several finds the base alone
        self.check_cancelled()
        store.write_jsonl(self.folder / run_rows.HELD_OUT, exam.held_out_table(task, scored, found.answers))
        # Rows of the person's own: they stay in the run's folder.
        store.write_jsonl(
            self.folder / run_rows.EXAMPLES, [{"inputs": inputs, "answer": answer} for inputs, answer in found.shown]
        )
        metrics = {who: {name: score.model_dump() for name, score in of.items()} for who, of in found.scores.items()}
        made = record.make_record(
            self.spec,
            task,
            self.run_id,
            found.scores,
            prepared.counts,
            trained.best_step,
            found.comparison,
            exam.asking(stack, tokenizer),
            calibrations=found.calibrations,
            examples_shown=len(found.shown),
        )
        store.write_json(trained.folder / "lora_hub.json", made)
        self.report("exam", **prepared.counts, metrics=metrics, comparison=found.comparison.model_dump(mode="json"))
        self.report("adapter", folder="adapter", best_step=trained.best_step, stopped=trained.stopped)

    def say_how_it_ended(self, trained: Any) -> None:
        """An early stop, or that it could have gone on."""
        if trained.stopped:
            self.note(
                run_states.stopped_early(
                    trained.stopped,
                    trained.steps,
                    self.folding.steps[1],
                    self.spec.patience,
                    trained.best_step,
                    trained.best_loss,
                )
            )
        elif said := run_states.train_longer(self.now):
            self.note(said)

    def publish(self) -> None:
        """Publishes where the spec says so and the scores are good enough for it, and ends the run."""
        if self.spec.publish_to:
            if below := below_minimum(self.now.metrics.get("adapter", {}), self.spec.minimum):
                raise LoraHubError(
                    _("The adapter was not published: {below}."),
                    _("Train it on more or better rows, or publish it as it is from its run."),
                    below=below,
                )
            self.report("state", state=RunState.PUBLISHING)
            self.phase("publishing")
            publish_run(self.now, self.report, org=self.spec.publish_to, private=self.spec.publish_private)
        self.report("state", state=RunState.SUCCEEDED)
        write_log("done")


def write_log(text: str) -> None:
    """Writes to the run's log, which this process's output is. A log on a full disk is no reason to end a run: what
    matters is in its events."""
    with contextlib.suppress(OSError):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def publish_run(run: Run, report: Callable[..., Any], *, org: str = "", name: str = "", private: bool = False) -> Any:
    """Publishes a run's adapter and reports it. Raises HubError; the adapter stays in the run's folder either way."""
    from lora_hub import hub

    folder = store.run_folder(run.id) / "adapter"
    # They tell the card which language the data is in; they are printed on it only where the person shares rows.
    examples = run_rows.read_held_out(store.run_folder(run.id), expected=run.eval_rows, task=run.spec.task).rows
    losses = [event.model_dump(mode="json") for event in store.read_events(run.id) if event.kind == "metric"]
    log = store.run_folder(run.id) / "training_log.jsonl"
    store.write_jsonl(log, losses)
    ref = hub.publish_adapter(
        folder,
        spec=run.spec,
        scores=run.metrics,
        run_id=run.id,
        org=org or settings.organization(),
        name=name,
        private=private,
        log=log,
        examples=examples,
    )
    report("adapter", published=ref.model_dump(mode="json"))
    return ref


def set_environment() -> None:
    """What has to be set before torch is imported."""
    # One core is left to the page and to everything else: threads that wait for each other on a busy core make a step
    # up to five times as long (seen on two cores).
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the trainer's libraries would report their use


def read_arguments(arguments: list[str]) -> tuple[list[str], list[run_lock.RunLock | None]]:
    """(runs, the lock of each; None where it is still to be taken)."""
    parser = argparse.ArgumentParser(prog="python -m lora_hub.runs.worker", allow_abbrev=False)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument(
        "--locks", default="", help="the open files, one a run, that hold the runs' locks: given by whoever starts it"
    )
    read = parser.parse_args(arguments)
    locks = [run_lock.adopt(int(descriptor)) for descriptor in read.locks.split(",") if descriptor]
    return read.runs, locks or [None] * len(read.runs)


if __name__ == "__main__":
    set_environment()
    (run_id,), (lock,) = read_arguments(sys.argv[1:])
    sys.exit(Worker(run_id, lock).run())
