"""The use cases around a run: plan, start, list, refresh, cancel, resume, publish. What the page and the shell call.

A run's truth is its folder; nothing about it is kept in this process, so the page may be closed, reloaded or restarted.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub import bases, endpoint, events, hardware, recipe, settings, store
from lora_hub.errors import BaseError, DataError, LoraHubError, RunError
from lora_hub.minimum import check_metrics
from lora_hub.runners import local
from lora_hub.schema import AdapterRef, BaseModel, Mend, Problem, Run, RunState, Task, TrainSpec

# A worker that was asked to end and has not within these seconds is ended.
CANCEL_GRACE_SECONDS = 20
# A worker that has just been started may not have written its first event yet.
START_GRACE_SECONDS = 3


# A plan looks at so many rows one by one; the run itself takes them all.
PLANNED_ROWS = 20_000


@dataclass(frozen=True)
class Plan:
    """A run before it is started: the spec to start, what stands against it, and what it will take. examples: rows that can
    be used, of `PLANNED_ROWS` at most. costs: the same run on rented hardware, the cheapest first."""

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
    """Reads and checks the data and derives the spec; nothing is started. mapping: the roles that the person chose. mends: done
    after reading. minimum: what the adapter has to reach to be published (minimum.py). reading: encoding, delimiter, sheet,
    skip_broken. inspector: one that may have read the file already.

    Raises DataError or SpecError for what can't be trained on at all; lesser problems are in the plan.
    """
    from lora_hub.data import check_held_out, checks, columns, inspection, prepare
    from lora_hub.data.mends import for_test

    inspector = inspector or inspection.Inspector()
    task = recipe.with_language(task, overrides or {})
    kept = store.add_dataset(file, dataset_name)
    seen = inspector.inspect(kept, task, mapping, mends=mends, name=dataset_name or kept.name, **(reading or {}))
    columns.check_mapping(seen.table, task, seen.mapping)
    task = seen.task
    examples = _planned_examples(seen.table, task, seen.mapping)
    task = inspection.with_labels(task, seen.table, seen.mapping)
    test_info, test_mapping, test_table, leaks = None, {}, seen.table.test, []
    if test_file is not None:
        test_kept = store.add_dataset(test_file)
        chosen = {role: column for role, column in (mapping or {}).items() if column in inspector.read(test_kept).columns}
        test_seen = inspector.inspect(test_kept, task, chosen, mends=for_test(mends))
        columns.check_mapping(test_seen.table, task, test_seen.mapping)
        test_info, test_mapping, test_table = test_seen.info, test_seen.mapping, test_seen.table
        found = checks.find_overlap(task, seen.table, seen.mapping, test_table, test_mapping)
        found += checks.find_unseen(task, seen.table, seen.mapping, test_table, test_mapping)
        leaks = [one.problem for one in found]
    spec = recipe.make_spec(
        task, base, seen.info, seen.mapping, effort=effort, overrides=overrides, test_dataset=test_info, test_mapping=test_mapping,
        name=name, publish_to=publish_to, publish_private=publish_private, share_rows=share_rows, minimum=minimum,
    )  # fmt: skip
    check_metrics(spec.minimum, task)
    # The split is tried here, so that too few rows are told before anything is started.
    if test_table is None:
        split = prepare.split_examples(examples, task, held_out=spec.held_out, max_held_out=spec.max_held_out, seed=spec.seed)
        scored = len(split.test)
    else:
        scored = len(prepare.build_examples(test_table, task, test_mapping or seen.mapping))
    seen = inspector.with_lengths(seen, base, spec.max_length)
    few = [found.problem for found in check_held_out.check_held_out(scored)]
    problems = [*few, *(problem for problem in seen.problems if problem.code != check_held_out.CODE)]
    spec = spec.model_copy(update={"dataset": seen.info.model_copy(update={"problems": tuple(problems)})})
    tokens_row = tokens_per_row(seen, examples, task)
    estimate = recipe.estimate(spec, tokens_row=tokens_row, gpu_flops=gpu_flops())
    costs = tuple(recipe.estimate_costs(spec, tokens_row))
    return Plan(spec=spec, inspection=seen, problems=tuple([*leaks, *problems]), examples=len(examples), estimate=estimate, costs=costs)


def _planned_examples(table: Any, task: Task, mapping: dict[str, str]) -> list[Any]:
    from lora_hub.data import inspection, prepare

    try:
        return prepare.build_examples(inspection.sample_rows(table, PLANNED_ROWS), task, mapping)
    except DataError:
        if table.rows <= PLANNED_ROWS:
            raise
        return prepare.build_examples(table, task, mapping)  # few rows can be used, and the sample met none of them


def tokens_per_row(seen: Any, examples: list[Any], task: Task, sample: int = 200) -> float:
    """Mean tokens of prompt and answer: counted with the base's own tokenizer where it lies on this disk, else estimated
    from the bytes (about 4 a token in Latin script, 5 in Persian)."""
    from lora_hub.data import template

    if seen.tokens_row:
        return seen.tokens_row
    step = max(1, len(examples) // sample)
    texts = []
    for example in examples[::step][:sample]:
        prompt = "\n".join(m["content"] for m in example.inputs["messages"]) if task.is_chat else template.render_prompt(task, example.inputs)
        texts.append(prompt + " " + example.answer)
    return sum(len(text.encode()) / 4.5 for text in texts) / max(1, len(texts)) + 8


def gpu_flops() -> float:
    """Peak 16-bit FLOP/s of this machine's GPU, 0 where there is none; asked of the driver's own tool, so torch can stay out."""
    import shutil
    import subprocess

    if not shutil.which("nvidia-smi"):
        return 0.0
    told = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=10, check=False)
    if told.returncode or not told.stdout.strip():
        return 0.0
    return hardware.card_flops(told.stdout.splitlines()[0])


def start_run(spec: TrainSpec, *, owner: str = "local", environment: dict[str, str] | None = None) -> Run:
    """Makes the run's folder and starts its process. Raises BaseError where the base can't fit, HubError where its adapter could
    not be published, LoraHubError on a full disk.

    environment: for the child alone (tokens); it is written nowhere.
    """
    return start_runs([spec], owner=owner, environment=environment)[0]


def start_runs(specs: Sequence[TrainSpec], *, owner: str = "local", environment: dict[str, str] | None = None) -> list[Run]:
    """The same for several specs of one base, which share a process and are trained together where that is faster."""
    for spec in specs:
        check_fits(spec)
        check_publishing(spec)
    run_ids = [store.create_run(spec) for spec in specs]
    for run_id in run_ids:
        events.app_log(store.events_file(run_id)).append("submitted", owner=owner, runner="local")
    _start(run_ids, environment)
    return [store.read_run(run_id) for run_id in run_ids]


def _start(run_ids: list[str], environment: dict[str, str] | None) -> None:
    for run_id in run_ids:
        store.clear_cancel(run_id)
    # Members of a group write to the first one's log; the others' say where to look.
    handle = local.start(run_ids, store.log_file(run_ids[0]), environment)
    for run_id in run_ids:
        events.app_log(store.events_file(run_id)).append("state", state=RunState.QUEUED, handle=handle)


def check_publishing(spec: TrainSpec) -> None:
    """Raises HubError where the adapter could not be published to where the spec says: asked before it is trained, not after."""
    if not spec.publish_to:
        return
    with endpoint.connected():
        from lora_hub import hub

        hub.check_publishing(spec, org=spec.publish_to, private=spec.publish_private)


def publishing_trouble(spec: TrainSpec) -> LoraHubError | None:
    """Why an adapter of this spec could not be published to the organization in use, for who may want to after the training."""
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
    needed = bases.memory_bytes(spec.base, train=True, batch=1, length=64, r=spec.lora.r, precision="fp32", quantization=spec.quantization)
    needed = needed or 4 * spec.base.parameters  # a shape that is not known: at least its weights in fp32
    total = psutil.virtual_memory().total
    if needed > total:
        raise BaseError(
            f"{spec.base.id} needs about {needed / 2**30:.1f} GiB to be trained here; this machine has {total / 2**30:.1f} GiB.",
            "Choose a smaller base, or train on a GPU Space.",
            message_fa=f"آموزش «{spec.base.id}» این‌جا نزدیک {needed / 2**30:.1f} گیبی‌بایت حافظه می‌خواهد؛ این دستگاه {total / 2**30:.1f} گیبی‌بایت دارد.",
            hint_fa="مدل پایهٔ کوچک‌تری برگزینید، یا روی فضایی (Space) با GPU آموزش دهید.",
        )  # fmt: skip


def list_runs() -> list[Run]:
    """All runs, newest first, as they are now."""
    return [refresh_run(run_id) for run_id in store.list_run_ids()]


def refresh_run(run_id: str) -> Run:
    """The run as it is now; where its process is gone without a word, that is noted as lost. Raises RunError."""
    run = store.read_run(run_id)
    if run.state.is_final or local.is_alive(run.handle):
        return run
    if time.time() - max(run.created, _last_event_at(run_id)) < START_GRACE_SECONDS:
        return run
    # The process may have written its last words between our two looks.
    run = store.read_run(run_id)
    if run.state.is_final:
        return run
    log = events.app_log(store.events_file(run_id))
    if store.is_cancel_asked(run_id):
        log.append("state", state=RunState.CANCELLED)
        return store.read_run(run_id)
    log.append(
        "error", message="The training process ended without a word: it was killed, or the machine was restarted.",
        hint="Resume the run: it goes on from its last checkpoint.",
        message_fa="پردازشِ آموزش بی‌خبر پایان یافت: کشته شد، یا دستگاه از نو راه افتاد.", hint_fa="اجرا را ادامه دهید: از آخرین نقطهٔ ثبت‌شده پیش می‌رود.",
    )  # fmt: skip
    log.append("state", state=RunState.LOST)
    return store.read_run(run_id)


def cancel_run(run_id: str, *, wait: float = CANCEL_GRACE_SECONDS) -> Run:
    """Ends a run at its next step; its checkpoints stay. Raises RunError where it has ended already."""
    run = refresh_run(run_id)
    if run.state.is_final:
        raise RunError(
            f"The run {run_id} has ended already: {run.state.value}.", "Nothing is left to cancel.",
            message_fa=f"اجرای «{run_id}» پیش‌تر پایان یافته است.", hint_fa="چیزی برای لغو نمانده است.",
        )  # fmt: skip
    # Whoever finds the process gone before it could say so knows then why. One of several gets no signal: it would end all.
    store.ask_cancel(run_id)
    shared = len(run.handle.get("group", ())) > 1
    if not shared:
        local.cancel(run.handle)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        run = store.read_run(run_id)
        if run.state.is_final:
            return run
        if not local.is_alive(run.handle):
            break
        time.sleep(0.1)
    if not shared:
        local.kill(run.handle)
    run = store.read_run(run_id)
    if not run.state.is_final and not local.is_alive(run.handle):
        events.app_log(store.events_file(run_id)).append("state", state=RunState.CANCELLED)
    return store.read_run(run_id)


def resume_run(run_id: str, *, environment: dict[str, str] | None = None) -> Run:
    """Goes on with a run that failed, was cancelled or lost, from its last checkpoint. Raises RunError for another state."""
    run = refresh_run(run_id)
    if run.state not in (RunState.FAILED, RunState.CANCELLED, RunState.LOST):
        raise RunError(
            f"The run {run_id} is {run.state.value}.", "Only a run that failed, was cancelled or was lost can be resumed.",
            message_fa=f"اجرای «{run_id}» را نمی‌توان ادامه داد: نه ناکام مانده، نه لغو شده و نه گم شده است.",
            hint_fa="فقط اجرایی را که ناکام، لغوشده یا گم‌شده است می‌توان ادامه داد.",
        )  # fmt: skip
    check_publishing(run.spec)
    _start([run_id], environment)
    return store.read_run(run_id)


def read_log(run_id: str, lines: int = 200) -> str:
    """The last lines of a run's log; runs that share a process share its log."""
    group = store.read_run(run_id).handle.get("group") or [run_id]
    return store.read_log(group[0], lines)


def read_held_out(run_id: str) -> list[dict]:
    """The held-out rows with all answers and what each is worth (`exam.held_out_table`); empty before the exam."""
    from lora_hub import metrics

    rows = store.read_jsonl(store.run_folder(run_id) / "held_out.jsonl")
    if rows and "scores" not in rows[0]:  # of a run from before rows had scores of their own
        rows = metrics.judge_rows(store.read_spec(run_id).task, rows, ("base", "adapter"))
    return rows


def publish_run(run_id: str, *, org: str = "", name: str = "", private: bool = False) -> AdapterRef:
    """Publishes a run's adapter to the organization. Can be tried again after a failure.

    Raises RunError where there is no adapter yet, HubError where the Hub refuses.
    """
    from lora_hub import worker

    run = refresh_run(run_id)
    if not run.adapter_folder:
        raise RunError(
            f"The run {run_id} has no adapter to publish: it is {run.state.value}.", "Wait until it has succeeded, or resume it.",
            message_fa=f"اجرای «{run_id}» آداپتوری برای انتشار ندارد.", hint_fa="صبر کنید تا انجام شود، یا آن را ادامه دهید.",
        )  # fmt: skip
    log = events.app_log(store.events_file(run_id))
    return worker.publish_run(run, log.append, org=org, name=name, private=private or run.spec.publish_private)


def wait_for_run(run_id: str, on_change: Any = None, poll: float = 0.3) -> Run:
    """Returns the run when it has ended. on_change(run) is called after each look."""
    while True:
        run = refresh_run(run_id)
        if on_change is not None:
            on_change(run)
        if run.state.is_final:
            return run
        time.sleep(poll)


def _last_event_at(run_id: str) -> float:
    return max((event.at for event in store.read_events(run_id)), default=0.0)

