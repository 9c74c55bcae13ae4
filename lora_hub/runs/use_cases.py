"""The use cases around a run that change something: plan, start, cancel, resume, publish. What the page and the shell
call.

A run's truth is its folder; nothing about it is kept in this process, so the page may be closed, reloaded or restarted.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases, hardware
from lora_hub.core import events, run_lock, settings, store
from lora_hub.core.errors import BaseError, DataError, LoraHubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import AdapterRef, BaseModel, Mend, Problem, Run, RunState, Task, TrainSpec
from lora_hub.evaluation.minimum import check_metrics
from lora_hub.hub import endpoint
from lora_hub.runs import run_history, run_states
from lora_hub.runs.looking import refresh_run
from lora_hub.runs.runners import local
from lora_hub.training import recipe

# A worker that was asked to end and has not within these seconds is ended.
CANCEL_GRACE_SECONDS = 20
# A worker that has said its last word ends within these seconds.
ENDING_SECONDS = 10
RESUMABLE = (RunState.FAILED, RunState.CANCELLED, RunState.LOST)


# A plan looks at so many rows one by one; the run itself takes them all.
PLANNED_ROWS = 20_000


@dataclass(frozen=True)
class Plan:
    """A run before it is started: the spec to start, what stands against it, and what it will take. examples: rows that
    can be used, of `PLANNED_ROWS` at most. costs: the same run on rented hardware, the cheapest first."""

    spec: TrainSpec
    inspection: Any
    problems: tuple[Problem, ...]
    examples: int
    estimate: recipe.Estimate
    costs: tuple[Any, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def plan_run(
    file: Path,
    task: Task,
    base: BaseModel,
    *,
    mapping: dict[str, str] | None = None,
    mends: Sequence[Mend] = (),
    effort: str = "balanced",
    overrides: dict[str, Any] | None = None,
    test_file: Path | None = None,
    name: str = "",
    dataset_name: str = "",
    publish_to: str = "",
    publish_private: bool = False,
    share_rows: bool = False,
    minimum: dict[str, float] | None = None,
    reading: dict[str, Any] | None = None,
    inspector: Any = None,
) -> Plan:
    """Reads and checks the data and derives the spec; nothing is started. mapping: the roles that the person chose.
    mends: done after reading. minimum: what the adapter has to reach to be published (minimum.py). reading: encoding,
    delimiter, sheet, skip_broken. inspector: one that may have read the file already.

    Raises DataError or SpecError for what can't be trained on at all; lesser problems are in the plan.
    """
    from lora_hub.data.checks import check_held_out, checks
    from lora_hub.data.columns import columns
    from lora_hub.data.inspector import Inspector
    from lora_hub.data.mending import check_mends
    from lora_hub.data.mending.mends import for_test
    from lora_hub.data.preview import with_labels
    from lora_hub.data.prompts import prepare
    from lora_hub.data.prompts.split import split_examples

    inspector = inspector or Inspector()
    task = recipe.with_language(task, overrides or {})
    kept = store.add_dataset(file, dataset_name)
    seen = inspector.inspect(kept, task, mapping, mends=mends, name=dataset_name or kept.name, **(reading or {}))
    columns.check_mapping(seen.table, task, seen.mapping)
    task = seen.task
    examples = planned_examples(seen.table, task, seen.mapping)
    task = with_labels(task, seen.table, seen.mapping)
    test_info, test_mapping, test_table, test_done, leaks = None, {}, seen.table.test, [], []
    if test_file is not None:
        test_kept = store.add_dataset(test_file)
        chosen = {
            role: column
            for role, column in (mapping or {}).items()
            if column in inspector.read(test_kept, is_test=True).columns
        }
        test_seen = inspector.inspect(test_kept, task, chosen, mends=for_test(mends), is_test=True)
        columns.check_mapping(test_seen.table, task, test_seen.mapping)
        test_info, test_mapping, test_table, test_done = (
            test_seen.info,
            test_seen.mapping,
            test_seen.table,
            test_seen.done,
        )
        found = checks.find_overlap(task, seen.table, seen.mapping, test_table, test_mapping)
        found += checks.find_unseen(task, seen.table, seen.mapping, test_table, test_mapping)
        leaks = [
            *(problem for problem in test_seen.table.problems if problem.code == "test-part"),
            *(one.problem for one in found),
        ]
    spec = recipe.make_spec(
        task,
        base,
        seen.info,
        seen.mapping,
        effort=effort,
        overrides=overrides,
        test_dataset=test_info,
        test_mapping=test_mapping,
        name=name,
        publish_to=publish_to,
        publish_private=publish_private,
        share_rows=share_rows,
        minimum=minimum,
    )
    check_metrics(spec.minimum, task)
    # The split is tried here, so that too few rows are told before anything is started.
    if test_table is None:
        split = split_examples(examples, task, held_out=spec.held_out, max_held_out=spec.max_held_out, seed=spec.seed)
        scored = len(split.test)
    else:
        scored = len(prepare.build_examples(test_table, task, test_mapping or seen.mapping))
    own_test = test_table.rows if test_table is not None and test_file is None else 0
    seen = inspector.with_lengths(seen, base, spec.max_length)
    again = [*check_held_out.check_held_out(scored), *check_mends.find_idle(seen.done, test_done)]
    known = (check_held_out.CODE, check_mends.CODE)
    problems = [
        *(found.problem for found in again),
        *(problem for problem in seen.problems if problem.code not in known),
    ]
    spec = spec.model_copy(
        update={"dataset": seen.info.model_copy(update={"problems": tuple(problems), "test_rows": own_test})}
    )
    tokens_row = tokens_per_row(seen, examples, task)
    estimate = recipe.estimate(spec, tokens_row=tokens_row, gpu_flops=gpu_flops())
    costs = tuple(recipe.estimate_costs(spec, tokens_row))
    return Plan(
        spec=spec, inspection=seen, problems=(*leaks, *problems), examples=len(examples), estimate=estimate, costs=costs
    )


def planned_examples(table: Any, task: Task, mapping: dict[str, str]) -> list[Any]:
    """The examples of `PLANNED_ROWS` rows at most, on which estimates stand. Raises DataError where no row can be
    used."""
    from lora_hub.data.base_fit import sample_rows
    from lora_hub.data.prompts import prepare

    try:
        return prepare.build_examples(sample_rows(table, PLANNED_ROWS), task, mapping)
    except DataError:
        if table.rows <= PLANNED_ROWS:
            raise
        return prepare.build_examples(table, task, mapping)  # few rows can be used, and the sample met none of them


def tokens_per_row(seen: Any, examples: list[Any], task: Task, sample: int = 200) -> float:
    """Mean tokens of prompt and answer: counted with the base's own tokenizer where it lies on this disk, else
    estimated from the bytes (about 4 a token in Latin script, 5 in Persian)."""
    from lora_hub.data.prompts import template

    if seen.tokens_row:
        return seen.tokens_row
    step = max(1, len(examples) // sample)
    texts = []
    for example in examples[::step][:sample]:
        prompt = (
            "\n".join(m["content"] for m in example.inputs["messages"])
            if task.is_chat
            else template.render_prompt(task, example.inputs)
        )
        texts.append(prompt + " " + example.answer)
    return sum(len(text.encode()) / 4.5 for text in texts) / max(1, len(texts)) + 8


def gpu_flops() -> float:
    """Peak 16-bit FLOP/s of this machine's GPU, 0 where there is none; asked of the driver's own tool, so torch can
    stay out."""
    import shutil
    import subprocess

    if not shutil.which("nvidia-smi"):
        return 0.0
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    if told.returncode or not told.stdout.strip():
        return 0.0
    return hardware.card_flops(told.stdout.splitlines()[0])


def start_run(spec: TrainSpec, *, owner: str = "local", environment: dict[str, str] | None = None) -> Run:
    """Makes the run's folder and starts its process. Raises BaseError where the base can't fit, HubError where its
    adapter could not be published, LoraHubError on a full disk.

    environment: for the child alone (tokens); it is written nowhere.
    """
    return start_runs([spec], owner=owner, environment=environment)[0]


def start_runs(
    specs: Sequence[TrainSpec], *, owner: str = "local", environment: dict[str, str] | None = None
) -> list[Run]:
    """The same for several specs of one base, which share a process and are trained together where that is faster."""
    settings.check()  # the process that is started reads them, too
    for spec in specs:
        check_fits(spec)
        check_publishing(spec)
    run_ids: list[str] = []
    held: dict[int, run_lock.RunLock] = {}
    with contextlib.ExitStack() as locks:

        def hold(folder: Path) -> None:
            held[len(run_ids)] = locks.enter_context(run_lock.take(folder))  # of the run that is being made

        try:
            for spec in specs:
                run_ids.append(store.create_run(spec, hold))
            for run_id in run_ids:
                with store.disk_errors(store.run_folder(run_id)):
                    events.app_log(store.events_file(run_id)).append("submitted", owner=owner, runner="local")
        except LoraHubError:
            # Nothing has been started: what is left of them would only stand in the list as lost.
            for run_id in run_ids:
                store.remove_run(run_id)
            raise
        _start(run_ids, list(held.values()), 1, environment)
    return [refresh_run(run_id) for run_id in run_ids]


def _start(
    run_ids: list[str], locks: Sequence[run_lock.RunLock], attempt: int, environment: dict[str, str] | None
) -> None:
    """Starts one process for runs whose locks are held. All that has to be before its first word is written before it
    starts."""
    logs = [events.app_log(store.events_file(run_id)) for run_id in run_ids]
    for run_id, log in zip(run_ids, logs, strict=True):
        with store.disk_errors(log.path):
            store.clear_cancel(run_id)
            log.append("state", state=RunState.QUEUED, attempt=attempt)
    try:
        # Members of a group write to the first one's log; the others' say where to look.
        handle = local.start(run_ids, store.log_file(run_ids[0]), environment, locks)
    except OSError as error:
        told = LoraHubError(
            _("No process could be started: {reason}."),
            _("Free memory or space on this machine, then resume the run."),
            reason=error.strerror or error,
        )
        for log in logs:
            log.append("error", message=told.said, hint=told.advice)
            log.append("state", state=RunState.FAILED)
        raise told from error
    for log in logs:
        log.append("handle", handle=handle)


def check_publishing(spec: TrainSpec) -> None:
    """Raises HubError where the adapter could not be published to where the spec says: asked before it is trained, not
    after."""
    if not spec.publish_to:
        return
    with endpoint.connected():
        from lora_hub import hub

        hub.check_publishing(spec, org=spec.publish_to, private=spec.publish_private)


def publishing_trouble(spec: TrainSpec) -> LoraHubError | None:
    """Why an adapter of this spec could not be published to the organization in use, for who may want to after the
    training."""
    try:
        check_publishing(spec.model_copy(update={"publish_to": spec.publish_to or settings.organization()}))
    except LoraHubError as error:
        return error
    return None


def check_fits(spec: TrainSpec) -> None:
    """Raises BaseError where the base alone is larger than this machine's memory."""
    import psutil

    if not spec.base.parameters or gpu_flops():
        return
    needed = bases.memory_bytes(
        spec.base, train=True, batch=1, length=64, r=spec.lora.r, precision="fp32", quantization=spec.quantization
    )
    needed = needed or 4 * spec.base.parameters  # a shape that is not known: at least its weights in fp32
    total = psutil.virtual_memory().total
    if needed > total:
        raise BaseError(
            _("{base} needs about {needed:.1f} GiB to be trained here; this machine has {total:.1f} GiB."),
            _("Choose a smaller base, or train on a GPU Space."),
            base=spec.base.id,
            needed=needed / 2**30,
            total=total / 2**30,
        )


def cancel_run(run_id: str, *, wait: float = CANCEL_GRACE_SECONDS) -> Run:
    """Ends a run at its next step; its checkpoints stay. Raises RunError where it has ended already."""
    reader = RunReader()
    run = refresh_run(run_id, reader)
    if run.state.is_final:
        raise RunError(
            _("The run {run_id} has ended already: {state}."),
            _("Nothing is left to cancel."),
            run_id=run_id,
            state=run.state.value,
        )
    # Whoever finds the process gone before it could say so knows then why. One of several gets no signal: it would end
    # all.
    store.ask_cancel(run_id)
    shared = len(run.handle.get("group", ())) > 1
    if not shared:
        local.cancel(run.handle)
    deadline = time.monotonic() + wait
    while not run.state.is_final and time.monotonic() < deadline:
        time.sleep(0.1)
        run = refresh_run(run_id, reader)
    if not run.state.is_final and not shared:
        local.kill(run.handle)
        while not run.state.is_final and local.is_alive(run.handle):
            time.sleep(0.1)
        run = refresh_run(run_id, reader)
    return run


def resume_run(run_id: str, *, environment: dict[str, str] | None = None) -> Run:
    """Goes on with a run that failed, was cancelled or lost, from its last checkpoint. Raises RunError for another
    state, and
    where a process works on it: of two that resume at once one goes on."""
    settings.check()
    store.read_spec(run_id)  # a damaged one says here what is wrong
    with _when_ended(run_id) as lock:
        # Nobody else can change it now. Our own lock is no sign of work on it.
        told = store.read_run(run_id)
        run = run_states.judge(told, store.run_folder(run_id), is_owned=False)
        if run.state not in RESUMABLE:
            raise _not_resumable(run)
        check_publishing(run.spec)
        with store.disk_errors(store.run_folder(run_id)):
            run_history.heal(told, run, events.app_log(store.events_file(run_id)).append)
        _start([run_id], [lock], run.attempt + 1, environment)
    return refresh_run(run_id)


@contextlib.contextmanager
def _when_ended(run_id: str) -> Iterator[run_lock.RunLock]:
    """The lock of a run that has ended. Its worker may still be ending, too; one that works on it is told by its
    state."""
    until = time.monotonic() + ENDING_SECONDS
    while True:
        try:
            lock = store.own_run(run_id)
            break
        except RunError:
            run = refresh_run(run_id)
            if not run.state.is_final:
                raise _not_resumable(run) from None
            if time.monotonic() >= until:
                raise
    with lock:
        yield lock


def _not_resumable(run: Run) -> RunError:
    if run.state is RunState.SUCCEEDED:
        return RunError(
            _("The run {run_id} has succeeded: nothing is left of it to resume."),
            _("Publish it, or ask its adapter in Compare."),
            run_id=run.id,
        )
    return RunError(
        _("The run {run_id} is {state}."),
        _("Only a run that failed, was cancelled or was lost can be resumed."),
        run_id=run.id,
        state=run.state.value,
    )


def publish_run(run_id: str, *, org: str = "", name: str = "", private: bool = False) -> AdapterRef:
    """Publishes a run's adapter to the organization. Can be tried again after a failure.

    Raises RunError where there is no adapter yet, HubError where the Hub refuses.
    """
    from lora_hub.runs import worker

    store.read_spec(run_id)  # a damaged one says here what is wrong
    run = refresh_run(run_id)
    if not run.adapter_folder:
        raise RunError(
            _("The run {run_id} has no adapter to publish: it is {state}."),
            _("Wait until it has succeeded, or resume it."),
            run_id=run_id,
            state=run.state.value,
        )
    log = events.app_log(store.events_file(run_id))
    return worker.publish_run(run, log.append, org=org, name=name, private=private or run.spec.publish_private)
