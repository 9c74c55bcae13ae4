"""The use cases around a run: plan, start, list, refresh, cancel, resume, publish. What the page and the shell call.

A run's truth is its folder; nothing about it is kept in this process, so the page may be closed, reloaded or restarted.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub import bases, events, recipe, store
from lora_hub.errors import BaseError, RunError
from lora_hub.runners import local
from lora_hub.schema import AdapterRef, BaseModel, Problem, Run, RunState, Task, TrainSpec

# A worker that was asked to end and has not within these seconds is ended.
CANCEL_GRACE_SECONDS = 20
# A worker that has just been started may not have written its first event yet.
START_GRACE_SECONDS = 3


@dataclass(frozen=True)
class Plan:
    """A run before it is started: the spec to start, what stands against it, and what it will take."""

    spec: TrainSpec
    problems: tuple[Problem, ...]
    examples: int
    estimate: recipe.Estimate

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def plan_run(
    file: Path,
    task: Task,
    base: BaseModel,
    *,
    mapping: dict[str, str] | None = None,
    effort: str = "balanced",
    overrides: dict[str, Any] | None = None,
    test_file: Path | None = None,
    name: str = "",
    dataset_name: str = "",
    publish_to: str = "",
    share_rows: bool = False,
    reading: dict[str, Any] | None = None,
) -> Plan:
    """Reads and checks the data and derives the spec; nothing is started. reading: encoding, delimiter, sheet, skip_broken.

    Raises DataError or SpecError for what can't be trained on at all; lesser problems are in the plan.
    """
    from lora_hub.data import checks, columns, inspection, prepare

    kept = store.add_dataset(file, dataset_name)
    seen = inspection.inspect_file(kept, task, mapping, name=dataset_name or kept.name, **(reading or {}))
    columns.check_mapping(seen.table, task, seen.mapping)
    examples = prepare.build_examples(seen.table, task, seen.mapping)
    if task.output == "labels" and not task.labels:
        task = task.model_copy(update={"labels": prepare.labels_of(examples)})
    problems = list(seen.problems)
    test_info, test_mapping, test_table = None, {}, seen.table.test
    if test_file is not None:
        test_kept = store.add_dataset(test_file)
        test_seen = inspection.inspect_file(test_kept, task, mapping)
        columns.check_mapping(test_seen.table, task, test_seen.mapping)
        prepare.build_examples(test_seen.table, task, test_seen.mapping)
        test_info, test_mapping, test_table = test_seen.info, test_seen.mapping, test_seen.table
    if test_table is not None:
        problems += checks.check_overlap(task, seen.table, seen.mapping, test_table, test_mapping or seen.mapping)
    spec = recipe.make_spec(
        task, base, seen.info, seen.mapping, effort=effort, overrides=overrides, test_dataset=test_info, test_mapping=test_mapping,
        name=name, publish_to=publish_to, share_rows=share_rows,
    )  # fmt: skip
    # The split is tried here, so that too few rows are told before anything is started.
    if test_table is None:
        prepare.split_examples(examples, task, held_out=spec.held_out, max_held_out=spec.max_held_out, seed=spec.seed)
    estimate = recipe.estimate(spec, tokens_row=tokens_per_row(base, task, examples), gpu_flops=gpu_flops())
    return Plan(spec=spec, problems=tuple(problems), examples=len(examples), estimate=estimate)


def tokens_per_row(base: BaseModel, task: Task, examples: list[Any], sample: int = 200) -> float:
    """Mean tokens of prompt and answer: counted with the base's own tokenizer where it lies on this disk, else estimated
    from the bytes (about 4 a token in Latin script, 5 in Persian)."""
    from lora_hub.data import template

    step = max(1, len(examples) // sample)
    texts = []
    for example in examples[::step][:sample]:
        prompt = "\n".join(m["content"] for m in example.inputs["messages"]) if task.is_chat else template.render_prompt(task, example.inputs)
        texts.append(prompt + " " + example.answer)
    file = Path(base.folder) / "tokenizer.json" if base.folder else None
    if file is not None and file.is_file():
        from tokenizers import Tokenizer

        counted = [len(encoding.ids) for encoding in Tokenizer.from_file(str(file)).encode_batch(texts)]
    else:
        counted = [len(text.encode()) / 4.5 for text in texts]
    return sum(counted) / max(1, len(counted)) + 8


def gpu_flops() -> float:
    """Peak 16-bit FLOP/s of this machine's GPU, 0 where there is none; asked of the driver's own tool, so torch can stay out."""
    import shutil
    import subprocess

    if not shutil.which("nvidia-smi"):
        return 0.0
    told = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=10, check=False)
    if told.returncode or not told.stdout.strip():
        return 0.0
    # Vendor's dense 16-bit tensor figures; a card that is not in the table counts as a modest one.
    known = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10": 125e12, "T4": 65e12, "4090": 165e12}
    name = told.stdout.splitlines()[0]
    return next((flops for card, flops in known.items() if card in name), 60e12)


def start_run(spec: TrainSpec, *, owner: str = "local", environment: dict[str, str] | None = None) -> Run:
    """Makes the run's folder and starts its process. Raises BaseError where the base can't fit, LoraHubError on a full disk.

    environment: for the child alone (tokens); it is written nowhere.
    """
    check_fits(spec)
    run_id = store.create_run(spec)
    log = events.app_log(store.events_file(run_id))
    log.append("submitted", owner=owner, runner="local")
    handle = local.start(run_id, store.log_file(run_id), environment)
    log.append("state", state=RunState.QUEUED, handle=handle)
    return store.read_run(run_id)


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
        )


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
    log.append("error", message="The training process ended without a word: it was killed, or the machine was restarted.", hint="Resume the run: it goes on from its last checkpoint.")
    log.append("state", state=RunState.LOST)
    return store.read_run(run_id)


def cancel_run(run_id: str, *, wait: float = CANCEL_GRACE_SECONDS) -> Run:
    """Ends a run at its next step; its checkpoints stay. Raises RunError where it has ended already."""
    run = refresh_run(run_id)
    if run.state.is_final:
        raise RunError(f"The run {run_id} has ended already: {run.state.value}.", "Nothing is left to cancel.")
    local.cancel(run.handle)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        run = store.read_run(run_id)
        if run.state.is_final:
            return run
        if not local.is_alive(run.handle):
            break
        time.sleep(0.1)
    local.kill(run.handle)
    run = store.read_run(run_id)
    if not run.state.is_final:
        events.app_log(store.events_file(run_id)).append("state", state=RunState.CANCELLED)
    return store.read_run(run_id)


def resume_run(run_id: str, *, environment: dict[str, str] | None = None) -> Run:
    """Goes on with a run that failed, was cancelled or lost, from its last checkpoint. Raises RunError for another state."""
    run = refresh_run(run_id)
    if run.state not in (RunState.FAILED, RunState.CANCELLED, RunState.LOST):
        raise RunError(f"The run {run_id} is {run.state.value}.", "Only a run that failed, was cancelled or was lost can be resumed.")
    handle = local.start(run_id, store.log_file(run_id), environment)
    events.app_log(store.events_file(run_id)).append("state", state=RunState.QUEUED, handle=handle)
    return store.read_run(run_id)


def read_log(run_id: str, lines: int = 200) -> str:
    """The last lines of a run's log."""
    store.run_folder(run_id)
    return store.read_log(run_id, lines)


def read_held_out(run_id: str) -> list[dict]:
    """The held-out rows with both answers: {row, inputs, prompt, reference, base, adapter}; empty before the exam."""
    return store.read_jsonl(store.run_folder(run_id) / "held_out.jsonl")


def publish_run(run_id: str, *, org: str = "", name: str = "", private: bool = False) -> AdapterRef:
    """Publishes a run's adapter to the organization. Can be tried again after a failure.

    Raises RunError where there is no adapter yet, HubError where the Hub refuses.
    """
    from lora_hub import worker

    run = refresh_run(run_id)
    if not run.adapter_folder:
        raise RunError(f"The run {run_id} has no adapter to publish: it is {run.state.value}.", "Wait until it has succeeded, or resume it.")
    log = events.app_log(store.events_file(run_id))
    return worker.publish_run(run, log.append, org=org, name=name, private=private)


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

