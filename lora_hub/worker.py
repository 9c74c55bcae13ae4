"""A run's own process: prepare, train, score, publish. `python -m lora_hub.worker RUN`; several runs of one base go to
group_worker.py.

It writes the run's events and nothing else speaks for it. It waits for its turn (a machine trains as many runs at once as
LORA_HUB_SLOTS says), survives the app, ends in words whatever happens, and on SIGTERM ends as cancelled.
"""

import errno
import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lora_hub import endpoint, record, settings, store
from lora_hub.errors import LoraHubError
from lora_hub.events import EventLog
from lora_hub.minimum import below_minimum
from lora_hub.schema import Run, RunState, Task, Text2, TrainSpec

if TYPE_CHECKING:
    from lora_hub.data.prepare import Encoded

POLL_SECONDS = 0.25
# What the phase says of who is scored.
SCORED = {"base": "base", "base_examples": "base with examples", "adapter": "adapter"}
# With less than this left, a write that failed failed for want of space.
FULL_DISK_BYTES = 8 * 1024 * 1024


class Cancelled(Exception):
    """A person ended the run."""


@dataclass
class Prepared:
    """A run's rows, ready to train on. task: with its labels frozen."""

    task: Task
    train: "Encoded"
    validation: "Encoded"
    held_out: "Encoded"


class Worker:
    """One run's work. `cancelled` turns true on SIGTERM, or where this run of several was cancelled, and is asked at every step."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.folder = store.run_folder(run_id)
        self.spec: TrainSpec = store.read_spec(run_id)
        self.log = EventLog(self.folder / "events.jsonl", f"worker-{os.getpid()}-{time.time_ns()}")
        self.report = self.log.append
        self._cancelled = False

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
        print(f"[{time.strftime('%H:%M:%S')}] {name}", flush=True)
        run = store.read_run(self.run_id)
        self.report("progress", phase=name, step=run.step, total=run.total_steps, eta=None)

    def note(self, said: Text2) -> None:
        """Says something about the run that stays on its page."""
        self.report("exam", note=said.en, note_fa=said.fa)

    def run(self) -> int:
        """Does the work; the exit status is 0 only where the run succeeded."""
        connection = None
        signal.signal(signal.SIGTERM, self.cancel)
        signal.signal(signal.SIGINT, self.cancel)

        def work() -> None:
            nonlocal connection
            with take_slot(self.cancelled):
                self.report("state", state=RunState.RUNNING)
                if self.spec.publish_to or not self.spec.base.folder:
                    connection = endpoint.connect()
                self._work()
                self.publish()

        try:
            return 0 if self.told(work) else 1
        finally:
            if connection is not None:
                connection.close()

    def told(self, work: Callable[[], Any]) -> bool:
        """Does a part of the work; whether it went well. How it ended otherwise is said in the events."""
        try:
            work()
            return True
        except Cancelled:
            print("cancelled", flush=True)
            self.report("state", state=RunState.CANCELLED)
        except LoraHubError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            self.fail(error)
        except BaseException as error:
            traceback.print_exc()
            self.fail(explain_crash(error))
        return False

    def fail(self, error: LoraHubError) -> None:
        # What was published or trained before the failure stays in the events: publishing can be tried again.
        message_fa, hint_fa = error.in_language("fa")
        self.report("error", message=error.message, hint=error.hint, message_fa=message_fa, hint_fa=hint_fa)
        self.report("state", state=RunState.SUCCEEDED if self.is_trained else RunState.FAILED)

    @property
    def is_trained(self) -> bool:
        """Trained and scored already; only the publishing is left to do."""
        return bool(store.read_run(self.run_id).adapter_folder)

    def _work(self) -> None:
        if self.is_trained:
            return
        from lora_hub import loading
        from lora_hub.stack import AdapterStack

        tokenizer = loading.load_tokenizer(self.spec.base)
        prepared = self.prepare(tokenizer)
        self.phase("loading the base")
        model = loading.load_base(self.spec.base, precision=self.spec.precision, quantization=self.spec.quantization)
        self.phase("training")
        trained = self._train(model, tokenizer, prepared)
        self.examine(AdapterStack(model, self.spec.base), tokenizer, prepared, trained)

    def _train(self, model: Any, tokenizer: Any, prepared: Prepared) -> Any:
        from lora_hub import together
        from lora_hub.task_training import TaskTraining

        task = TaskTraining(self.spec, prepared.train, prepared.validation, self.folder, self.report, self.cancelled)
        # One that was begun together with others goes on from the checkpoint that was written there.
        mode = "together" if task.checkpoint.is_file() else "in turn"
        trained = together.train_tasks([task], model, tokenizer, mode=mode).results[0]
        if isinstance(trained, LoraHubError):
            raise trained
        return trained

    def prepare(self, tokenizer: Any) -> Prepared:
        """Reads and encodes the rows. Raises DataError where they are not to be trained on."""
        from lora_hub import recipe
        from lora_hub.data import prepare

        spec = self.spec
        self.phase("reading the data")
        task, split, notes = read_split(spec)
        for said in notes:
            self.note(said)
        if uneven := recipe.uneven_batch(spec):
            self.note(Text2(en=f"micro_batch = {spec.micro_batch}: {uneven.en}.", fa=f"تنظیم «micro_batch = {spec.micro_batch}»: {uneven.fa}."))
        encoded = prepare.encode_examples(tokenizer, task, split.train, spec.max_length)
        prepare.check_trainable(encoded, len(split.train), spec.max_length)
        validation = prepare.encode_examples(tokenizer, task, split.validation, spec.max_length)
        held_out = prepare.encode_examples(tokenizer, task, split.test, spec.max_length)
        training, validating, testing = Text2(en="training", fa="آموزش"), Text2(en="validation", fa="اعتبارسنجی"), Text2(en="held-out", fa="آزمون")
        for part, rows in ((training, encoded), (validating, validation), (testing, held_out)):
            if rows.too_long:
                self.note(too_long_note(part, rows.too_long, spec.max_length))
        if not held_out.examples or not validation.examples:
            prepare.check_trainable(held_out if not held_out.examples else validation, len(split.test), spec.max_length)
        self.report("exam", train_rows=len(encoded.rows), eval_rows=len(held_out.examples))
        print(f"{len(encoded.rows)} rows, {encoded.trained_tokens} tokens trained on an epoch", flush=True)
        return Prepared(task, encoded, validation, held_out)

    def examine(self, stack: Any, tokenizer: Any, prepared: Prepared, trained: Any) -> None:
        """Base and adapter answer the held-out rows; the record and the scores are written."""
        from lora_hub import exam

        self.check_cancelled()
        print(f"best validation loss {trained.best_loss:.4f} at step {trained.best_step} of {trained.steps}, {trained.seconds:.1f} s", flush=True)
        stack.attach(trained.folder, self.run_id)
        task, scored = prepared.task, prepared.held_out.examples
        progress = _Scoring(self)
        found = exam.hold_exam(
            stack, tokenizer, task, scored, self.run_id, trained=prepared.train.examples, unscored=prepared.validation.examples,
            seed=self.spec.seed, begin=progress.begin, progress=progress, cancelled=self.cancelled,
        )  # fmt: skip
        self.check_cancelled()
        stack.detach(self.run_id)
        store.write_jsonl(self.folder / "held_out.jsonl", exam.held_out_table(task, scored, found.answers))
        counts = {"train_rows": len(prepared.train.rows), "eval_rows": len(scored)}
        metrics = {who: {name: score.model_dump() for name, score in of.items()} for who, of in found.scores.items()}
        made = record.make_record(
            self.spec, task, self.run_id, found.scores, counts, trained.best_step, found.comparison, exam.asking(stack, tokenizer),
            calibrations=found.calibrations, examples_shown=found.shown,
        )  # fmt: skip
        store.write_json(trained.folder / "lora_hub.json", made)
        self.report("exam", **counts, metrics=metrics, comparison=found.comparison.model_dump(mode="json"))
        self.report("adapter", folder="adapter", best_step=trained.best_step)

    def publish(self) -> None:
        """Publishes where the spec says so and the scores are good enough for it, and ends the run."""
        below = below_minimum(store.read_run(self.run_id).metrics.get("adapter", {}), self.spec.minimum) if self.spec.publish_to else []
        if below:
            raise LoraHubError(
                f"The adapter was not published: {'; '.join(below)}.",
                "Train it on more or better rows, or publish it as it is from its run.",
                message_fa=f"آداپتور منتشر نشد، چون امتیاز آن از حداقلی که خواسته بودید کمتر است: «{'; '.join(below)}».",
                hint_fa="با سطرهای بیشتر یا بهتر آموزش دهید، یا از صفحهٔ اجرا همین را منتشر کنید.",
            )
        if self.spec.publish_to:
            self.report("state", state=RunState.PUBLISHING)
            self.phase("publishing")
            publish_run(store.read_run(self.run_id), self.report, org=self.spec.publish_to, private=self.spec.publish_private)
        self.report("state", state=RunState.SUCCEEDED)
        print("done", flush=True)


class _Scoring:
    """Tells who is being scored and how far it is, not oftener than one can read."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self._who, self._last = worker, "", 0.0

    def begin(self, who: str) -> None:
        self._who, self._last = f"scoring the {SCORED[who]}", 0.0
        self._worker.phase(self._who)

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last >= 0.5:
            self._last = time.monotonic()
            run = store.read_run(self._worker.run_id)
            self._worker.report("progress", phase=f"{self._who} ({done} of {total})", step=run.step, total=run.total_steps, eta=None)


def read_split(spec: TrainSpec) -> tuple[Any, Any, list[Text2]]:
    """(task with its labels frozen, split, notes) of a spec's data. Raises DataError.

    What is scored is the person's own test file, else the test half of an archive, else held-out rows of the file.
    """
    from lora_hub.data import mends, prepare, read, template

    notes = []

    def read_kept(info: Any, mapping: dict[str, str]) -> Any:
        table = read.read_table(
            store.dataset_file(info), encoding=info.encoding, delimiter=info.delimiter, sheet=info.sheet, skip_broken=True
        )  # fmt: skip
        table, done = mends.apply_mends(table, spec.task, mapping, info.mends)
        for one in done:
            said = mends.describe(one.mend)
            notes.append(Text2(en=f"{said.en} ({one.rows:,} rows).", fa=f"{said.fa} ({one.rows:,} سطر)."))
        return table

    table = read_kept(spec.dataset, spec.mapping)
    examples = prepare.build_examples(table, spec.task, spec.mapping)
    task = spec.task
    if task.output == "labels" and not task.labels:
        task = template.freeze_labels(task, prepare.labels_of(examples))
    left_out = table.frame.height - len({example.row for example in examples})
    if left_out > 0:
        notes.append(Text2(
            en=f"{left_out} rows without an answer or an input were left out.", fa=f"{left_out} سطر که پاسخ یا ورودی نداشت کنار گذاشته شد."
        ))  # fmt: skip
    test_table = read_kept(spec.test_dataset, spec.test_mapping) if spec.test_dataset else table.test
    if test_table is None:
        split = prepare.split_examples(examples, task, held_out=spec.held_out, max_held_out=spec.max_held_out, seed=spec.seed)
    else:
        test = prepare.build_examples(test_table, spec.task, spec.test_mapping or spec.mapping)
        split, leaked = prepare.split_with_test(examples, test, task, seed=spec.seed)
        if leaked:
            notes.append(Text2(
                en=f"{leaked} training rows stand in the test file too and were not trained on.",
                fa=f"{leaked} سطرِ آموزش در پروندهٔ آزمون هم هست و آموخته نشد.",
            ))  # fmt: skip
    return task, split, notes


def too_long_note(part: Text2, rows: list[int], max_length: int) -> Text2:
    shown = [*map(str, rows[:5]), *(["..."] if len(rows) > 5 else [])]
    return Text2(
        en=f"{len(rows)} {part.en} rows are longer than {max_length} tokens and were left out: rows {', '.join(shown)}.",
        fa=f"{len(rows)} سطرِ {part.fa} از {max_length} توکن بلندتر است و کنار گذاشته شد: سطرهای {'، '.join(shown)}.",
    )


def publish_run(run: Run, report: Callable[..., Any], *, org: str = "", name: str = "", private: bool = False) -> Any:
    """Publishes a run's adapter and reports it. Raises HubError; the adapter stays in the run's folder either way."""
    from lora_hub import hub

    folder = store.run_folder(run.id) / "adapter"
    # They tell the card which language the data is in; they are printed on it only where the person shares rows.
    examples = store.read_jsonl(store.run_folder(run.id) / "held_out.jsonl")
    losses = [event.model_dump(mode="json") for event in store.read_events(run.id) if event.kind == "metric"]
    log = store.run_folder(run.id) / "training_log.jsonl"
    store.write_jsonl(log, losses)
    ref = hub.publish_adapter(
        folder, spec=run.spec, scores=run.metrics, run_id=run.id, org=org or settings.organization(), name=name, private=private,
        log=log, examples=examples,
    )  # fmt: skip
    report("adapter", published=ref.model_dump(mode="json"))
    return ref


def explain_crash(error: BaseException) -> LoraHubError:
    """What ended the process, in words; the traceback is in the run's log."""
    import shutil

    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    # torch and safetensors tell of a failed write without saying why.
    if full or (not isinstance(error, MemoryError) and shutil.disk_usage(settings.home()).free < FULL_DISK_BYTES):
        return LoraHubError(
            f"The disk of {settings.home()} is full.", "Free some space there, then resume the run: it goes on from its last checkpoint.",
            message_fa=f"دیسکی که «{settings.home()}» در آن است پر است.",
            hint_fa="جایی در آن باز کنید و اجرا را ادامه دهید: از آخرین نقطهٔ ثبت‌شده پیش می‌رود.",
        )  # fmt: skip
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "can't allocate memory" in str(error):
        return LoraHubError(
            "The machine's memory ran out.", "Choose a smaller base, or set a smaller micro_batch and max_length.",
            message_fa="حافظهٔ این دستگاه تمام شد.", hint_fa="مدل پایهٔ کوچک‌تری برگزینید، یا micro_batch و max_length را کوچک‌تر کنید.",
        )  # fmt: skip
    first = str(error).splitlines()[0] if str(error) else ""
    said = f"{type(error).__name__}: {first}".removesuffix(": ")
    return LoraHubError(
        f"The training process failed: {said}", "The log has the details.",
        message_fa=f"پردازشِ آموزش ناکام ماند ({said}).", hint_fa="جزئیات در گزارشِ اجراست.",
    )  # fmt: skip


class take_slot:
    """Waits until this machine has room for one more run. The lock goes with the process, however it ends."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._file: Any = None

    def __enter__(self) -> "take_slot":
        while True:
            for index in range(settings.slots()):
                file = open(settings.runs_dir() / f".slot-{index}", "w")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.close()
                    continue
                self._file = file
                return self
            if self._cancelled():
                raise Cancelled
            time.sleep(POLL_SECONDS)

    def __exit__(self, *_: Any) -> None:
        self._file.close()


def set_environment() -> None:
    """What has to be set before torch is imported."""
    # One core is left to the page and to everything else: threads that wait for each other on a busy core make a step up
    # to five times as long (seen on two cores).
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the trainer's libraries would report their use


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m lora_hub.worker RUN", file=sys.stderr)
        return 2
    set_environment()
    return Worker(arguments[0]).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
