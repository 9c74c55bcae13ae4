"""The shell's commands around training: inspect, train, pipeline."""

import argparse
import contextlib
import sys
import time
from typing import Any

from lora_hub import cli_text, settings
from lora_hub.cli_options import connected_hub, fetch_named, named_dataset, read_mapping, read_mends, read_pairs, read_reading, read_task
from lora_hub.errors import LoraHubError, RunError

Result = dict[str, Any]


def inspect(options: argparse.Namespace) -> Result:
    from lora_hub import bases
    from lora_hub.data import inspection

    base = bases.get_base(options.base)
    task = read_task(options.task) if options.task else None
    inspector = inspection.Inspector()
    with named_dataset(options.file) as file:
        mends = read_mends(options, inspector, file, task)
        seen = inspector.inspect(file, task, read_mapping(options.map), mends=mends, base=base, name=file.name, **read_reading(options))
    return seen.to_json()


def train(options: argparse.Namespace) -> Result:
    from lora_hub import bases, runs
    from lora_hub.data import inspection

    base, task = bases.get_base(options.base), read_task(options.task)
    inspector = inspection.Inspector()
    with named_dataset(options.file) as file:
        plan = runs.plan_run(
            file,
            task,
            base,
            mapping=read_mapping(options.map),
            mends=read_mends(options, inspector, file, task),
            effort=options.effort,
            overrides=read_pairs(options.set, "--set KEY=VALUE"),
            test_file=options.test,
            name=options.name,
            dataset_name=file.name,
            publish_to=(options.org or settings.organization()) if options.publish else "",
            reading=read_reading(options),
            inspector=inspector,
        )
    cli_text.say_problems(plan.problems)
    if plan.errors:
        raise LoraHubError(plan.errors[0].message, plan.errors[0].hint)
    estimate = plan.estimate
    print(f"about {estimate.steps} steps, {estimate.seconds:.0f} s, {estimate.memory_bytes / 2**20:.0f} MiB", file=sys.stderr)
    run = runs.start_run(plan.spec)
    print(f"run {run.id}", file=sys.stderr)
    try:
        with cli_text.ProgressBar() as bar:
            run = runs.wait_for_run(run.id, bar.show)
    except KeyboardInterrupt:
        print("\ncancelling ...", file=sys.stderr)
        runs.cancel_run(run.id)
        raise
    result = run_result(run)
    if run.error or run.state != "succeeded":
        told = run.error or {"message": f"The run {run.id} was {run.state.value}.", "hint": f"python -m lora_hub runs resume {run.id}"}
        error = RunError(told["message"], told["hint"])
        error.also = {"run": run.id, "state": run.state.value}
        raise error
    return result


def run_result(run: Any) -> Result:
    """The keys of `train`: run, state, adapter, revision, base, seconds, train_rows, eval_rows, metrics."""
    from lora_hub import store

    folder = str(store.run_folder(run.id) / run.adapter_folder) if run.adapter_folder else ""
    return {
        "run": run.id,
        "state": run.state.value,
        "adapter": run.adapter.repo_id if run.adapter else folder,
        "revision": run.adapter.revision if run.adapter else "",
        "base": run.spec.base.id,
        "seconds": round(run.seconds, 1),
        "train_rows": run.train_rows,
        "eval_rows": run.eval_rows,
        "metrics": {who: {name: score.model_dump() for name, score in of.items()} for who, of in run.metrics.items()},
        "notes": list(run.notes),
    }


def pipeline(options: argparse.Namespace) -> Result:
    """runs: [{task, run, state, adapter, metrics, ...}], mode (together or in turn), seconds."""
    from lora_hub import pipeline as pipelines
    from lora_hub import runs
    from lora_hub.hub import dataset

    began = time.monotonic()
    asked = pipelines.read_pipeline(options.file)
    publish_to = (options.org or asked.org or settings.organization()) if options.publish else ""
    needs_hub = any(dataset.is_dataset_id(entry.data) for entry in asked.entries)

    with connected_hub() if needs_hub else contextlib.nullcontext():
        started = pipelines.start_pipeline(asked, publish_to=publish_to, fetch=fetch_named)
    for one in started:
        _say(f"{one.entry.task}: {'run ' + one.run_id if one.run_id else 'failed: ' + one.error.message}")
    try:
        with cli_text.GroupProgress() as shown:
            ended = pipelines.wait_for_all(started, shown.show)
    except KeyboardInterrupt:
        _say("cancelling ...")
        for one in started:
            if one.run_id and not runs.refresh_run(one.run_id).state.is_final:
                runs.cancel_run(one.run_id, wait=0)
        raise
    rows = [_pipeline_row(one.entry, result) for one, result in zip(started, ended, strict=True)]
    modes = [result.mode for result in ended if not isinstance(result, LoraHubError) and result.mode]
    result = {"runs": rows, "mode": modes[0] if modes else "in turn", "seconds": round(time.monotonic() - began, 1)}
    failed = [row for row in rows if row["state"] != "succeeded" or row.get("error")]
    if failed:
        error = RunError(f"{len(failed)} of {len(rows)} tasks did not succeed: {', '.join(row['task'] for row in failed)}.", failed[0].get("error") or "`python -m lora_hub runs` tells more.")
        error.also = result
        raise error
    return result


def _pipeline_row(entry: Any, result: Any) -> Result:
    if isinstance(result, LoraHubError):
        return {"task": entry.task, "run": "", "state": "failed", "adapter": "", "metrics": {}, "error": f"{result.message} {result.hint}".strip()}
    row = {"task": result.spec.task.id, **run_result(result)}
    return {**row, "error": result.error["message"]} if result.error else row


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
