"""A run's own process: prepare, train, score, publish. `python -m lora_hub.runs.worker RUN`; several runs of one base
go to group_worker.py.

It owns the run (owner.py), waits for its turn (turns.py), survives the app, ends in words whatever happens, and on
SIGTERM ends as cancelled.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.catalogue import bases
from lora_hub.core import run_lock, store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _, _n
from lora_hub.core.processes import set_environment, uncollected
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, PARENT, PairedComparison, RunState, Task, scores_json
from lora_hub.evaluation.minimum import below_minimum
from lora_hub.hub import adapter_config, endpoint, make_record
from lora_hub.runs import replay, run_rows, run_states
from lora_hub.runs.owner import Owner, write_log
from lora_hub.runs.publishing import publish_adapter
from lora_hub.runs.run_data import count_rows, read_split, too_long_note
from lora_hub.runs.run_pace import IdleClock, WithScoring, learn_pace
from lora_hub.runs.turns import Ticket, take_turn

if TYPE_CHECKING:
    from lora_hub.data.prompts.prepare import Encoded

# What the phase says of who is scored.
SCORED = {BASE: "base", BASE_EXAMPLES: "base with examples", PARENT: "adapter before", ADAPTER: "adapter"}
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


class Worker(Owner):
    """One run's work, from its rows to its published adapter."""

    def run(self, ticket: Ticket | None = None) -> int:
        """Does the work; the exit status is 0 only where the run succeeded. ticket: its place in the line, where it has
        one."""
        signal.signal(signal.SIGTERM, self.cancel)
        signal.signal(signal.SIGINT, self.cancel)

        def work() -> None:
            self.begin()
            with self.turn(ticket):
                self.report("state", state=RunState.RUNNING)
                with self.hub():
                    self._work()
                    self.publish()

        try:
            return 0 if self.told(work) else 1
        finally:
            self.tidy()
            self.end()

    def turn(self, ticket: Ticket | None) -> AbstractContextManager[Any]:
        """The run's turn on this machine, for which it waits."""
        return take_turn([self.run_id], self.cancelled, self.wait, ticket)

    def tidy(self) -> None:
        """What is done after the run's last word, before it is anybody else's."""

    @property
    def needs_hub(self) -> bool:
        return bool(self.spec.publish_to or bases.folder_of(self.spec.base) is None)

    @contextlib.contextmanager
    def hub(self) -> Iterator[None]:
        """Connects to the Hub where the run needs it."""
        if not self.needs_hub:
            yield
            return
        self.say("connecting to the Hub")
        connection = endpoint.connect()
        try:
            yield
        finally:
            connection.close()

    def _work(self) -> None:
        if self.is_trained:
            return
        self.phase("loading the libraries")
        with uncollected():
            from lora_hub.answering import loading
            from lora_hub.answering.stack import AdapterStack

            tokenizer = loading.load_tokenizer(self.spec.base)
        prepared = self.prepare(tokenizer)
        self.phase("loading the base")
        with uncollected():
            model = loading.load_base(
                self.spec.base, precision=self.spec.precision, quantization=self.spec.quantization
            )
        goes_on = any((self.folder / store.CHECKPOINTS).glob("*"))
        self.replay(model, tokenizer, prepared)
        clock = IdleClock()
        trained = self.train(model, tokenizer, prepared)
        training = clock.read()
        self.examine(AdapterStack(model, self.spec.base), tokenizer, prepared, trained)
        if not goes_on and model.device.type == "cpu":
            learn_pace(self.spec, prepared, trained, training, clock.read() - training)

    def replay(self, model: Any, tokenizer: Any, prepared: Prepared) -> None:
        """Mixes the base's own answers into the rows to train on, where the spec says so."""
        if not self.spec.replay:
            return

        self.phase(name := "asking the base what it knows")
        rows = replay.own_answers(
            model,
            tokenizer,
            self.spec.base,
            self.spec.replay,
            max_length=self.spec.max_length,
            progress=lambda done, total: self.part(name, done, total),
            cancelled=self.cancelled,
        )
        self.check_cancelled()
        prepared.train = replay.with_replay(prepared.train, rows)
        self.note(
            _n(
                "{count:,} answer of the base itself is trained on beside the rows, so that less is forgotten.",
                "{count:,} answers of the base itself are trained on beside the rows, so that less is forgotten.",
                count=len(rows),
            )
        )

    def forgotten(self, stack: Any, tokenizer: Any) -> PairedComparison | None:
        """The adapter against its base on the general questions; None where they are not asked. Raises Cancelled."""
        if not self.spec.asks_general:
            return None
        from lora_hub.evaluation import general

        self.phase(name := "asking general questions")
        found = general.measure_forgotten(
            stack,
            tokenizer,
            self.run_id,
            progress=lambda done, total: self.part(name, done, total),
            cancelled=self.cancelled,
        )
        self.check_cancelled()
        return found

    @property
    def parent(self) -> Path | None:
        """The folder of the adapter that the run goes on from."""
        return None if self.spec.parent is None else self.folder / store.PARENT

    def train(self, model: Any, tokenizer: Any, prepared: Prepared) -> Any:
        """Returns what came of it; `spec` is the one that the adapter was trained with. Raises LoraHubError."""
        with uncollected():
            from lora_hub.training import sweep, together
            from lora_hub.training.task_training import TaskTraining

        write_log("training")
        # Not on a GPU, whose speed was not measured.
        report = WithScoring(self.report, self.spec, prepared) if model.device.type == "cpu" else self.report
        if self.spec.sweep:
            trained, self.spec = sweep.train_sweep(
                self.spec,
                model,
                tokenizer,
                prepared.train,
                prepared.validation,
                self.folder,
                report=report,
                cancelled=self.cancelled,
                parent=self.parent,
            )
            return trained
        task = TaskTraining(
            self.spec,
            prepared.train,
            prepared.validation,
            self.folder,
            report,
            self.cancelled,
            parent=self.parent,
        )
        # One that was begun together with others goes on from the checkpoint that was written there.
        mode = "together" if task.checkpoint.is_file() else "in turn"
        trained = together.train_tasks([task], model, tokenizer, mode=mode).results[0]
        if isinstance(trained, LoraHubError):
            raise trained
        return trained

    def prepare(self, tokenizer: Any) -> Prepared:
        """Reads and encodes the rows. Raises DataError where they cannot be trained on."""
        from lora_hub.data.prompts import prepare
        from lora_hub.training import even_labels, recipe

        spec = self.spec
        self.phase("reading the data")
        task, split, notes = read_split(spec)
        for said in notes:
            self.note(said)
        if uneven := recipe.uneven_batch(spec):
            setting = _("{key} = {value}", key="micro_batch", value=str(spec.micro_batch))
            self.note(_("{setting}: {uneven}.", setting=setting, uneven=uneven))
        encoded, validation, held_out = self._encode(tokenizer, task, [split.train, split.validation, split.test])
        prepare.check_trainable(encoded, len(split.train), spec.max_length)
        for part, rows in (("training", encoded), ("validation", validation), ("held-out", held_out)):
            if rows.too_long:
                self.note(too_long_note(part, rows.too_long, spec.max_length))
        if said := even_labels.note(spec, encoded):
            self.note(said)
        if not held_out.examples or not validation.examples:
            prepare.check_trainable(held_out if not held_out.examples else validation, len(split.test), spec.max_length)
        counts = count_rows(spec, task, split, encoded, validation, held_out)
        self.report("exam", **counts)
        write_log(f"{len(encoded.rows)} rows, {encoded.trained_tokens} tokens trained on an epoch")
        return Prepared(task, encoded, validation, held_out, counts)

    def _encode(self, tokenizer: Any, task: Task, parts: list[list[Any]]) -> list["Encoded"]:
        """The rows of each part as tokens; reports how far it is."""
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
        before = f"{self.run_id} {PARENT}" if self.parent is not None else ""
        if before:
            stack.attach(self.parent, before)
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
                parent=before,
                seed=self.spec.seed,
                begin=begin,
                progress=lambda done, total: self.part(who, done, total),
                cancelled=self.cancelled,
            )
            forgotten = None if found is None else self.forgotten(stack, tokenizer)
        finally:
            for name in (self.run_id, before) if before else (self.run_id,):
                stack.detach(name)  # the next of several finds the base alone
        self.check_cancelled()
        self.describe_questions(stack, tokenizer, prepared, trained.folder)
        run_rows.write_held_out(self.folder, exam.held_out_rows(task, scored, found.answers))
        run_rows.write_examples(self.folder, found.shown)
        metrics = scores_json(found.scores)
        made = make_record(
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
            parent_comparison=found.over_parent,
            general=forgotten,
        )
        store.write_json(trained.folder / adapter_config.RECORD_FILE, made)
        parts = exam.score_parts(self.spec, task, prepared.train.examples, scored, found.answers)
        tests = {"comparison": found.comparison, "parent_comparison": found.over_parent, "general": forgotten}
        compared = {name: one.model_dump(mode="json") for name, one in tests.items() if one is not None}
        if parts:
            compared["parts"] = [one.model_dump(mode="json") for one in parts]
        self.report("exam", **prepared.counts, metrics=metrics, **compared)
        self.report("adapter", folder=store.ADAPTER, best_step=trained.best_step, stopped=trained.stopped)

    def describe_questions(self, stack: Any, tokenizer: Any, prepared: Prepared, folder: Path) -> None:
        """Writes where the task's questions lie, by which one is later brought to its adapter (lora_hub/regions)."""
        from lora_hub import regions
        from lora_hub.hub import write_region

        trained, validated = (
            [regions.question_text(prepared.task, example.inputs) for example in part.examples]
            for part in (prepared.train, prepared.validation)
        )
        region = regions.make_region(stack, tokenizer, self.spec.base, trained, validated, self.spec.seed)
        if region is not None:
            write_region(folder, region)

    def say_how_it_ended(self, trained: Any) -> None:
        """Notes that the training stopped early, that longer training would probably bring more, or that nothing was
        gained over the adapter it goes on from."""
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
        if said := run_states.start_was_better(self.now):
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
            publish_adapter(self.now, self.report, org=self.spec.publish_to, private=self.spec.publish_private)
        self.report("state", state=RunState.SUCCEEDED)
        write_log("done")


def read_arguments(arguments: list[str]) -> tuple[list[str], list[run_lock.RunLock | None], Ticket | None]:
    """(runs, the lock of each, their place in the line); None where it is still to be taken."""
    parser = argparse.ArgumentParser(prog="python -m lora_hub.runs.worker", allow_abbrev=False)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument(
        "--locks", default="", help="the open files, one a run, that hold the runs' locks: given by whoever starts it"
    )
    parser.add_argument("--ticket", default="", help="the place in the line, and the open file that holds it")
    read = parser.parse_args(arguments)
    locks = [run_lock.adopt(int(descriptor)) for descriptor in read.locks.split(",") if descriptor]
    return read.runs, locks or [None] * len(read.runs), Ticket.adopt(read.ticket) if read.ticket else None


if __name__ == "__main__":
    set_environment()
    (run_id,), (lock,), place = read_arguments(sys.argv[1:])
    sys.exit(Worker(run_id, lock).run(place))
