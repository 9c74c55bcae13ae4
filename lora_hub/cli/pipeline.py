"""The shell's command `pipeline`: several tasks of a YAML file, trained on one base in one go."""

import argparse
import contextlib
import time
from typing import Any

from lora_hub.cli import progress
from lora_hub.cli.options import (
    BelowMinimum,
    Partly,
    Unfinished,
    connected_hub,
    fetch_named,
    read_org,
)
from lora_hub.cli.text import estimated
from lora_hub.cli.train import CANCELLING, check_ended
from lora_hub.core import store
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import Message, _, joined, several
from lora_hub.evaluation.minimum import parse_minimum
from lora_hub.people import LOCAL
from lora_hub.runs import tell_price
from lora_hub.runs.run_json import hired_json, run_result

Result = dict[str, Any]


def pipeline(options: argparse.Namespace) -> Result:
    """runs: [{task, run, state, adapter, metrics, ...}], mode (together or in turn), seconds; hired, where one job
    trained them."""
    from lora_hub import use_cases
    from lora_hub.hub import is_dataset_id
    from lora_hub.runs import pipeline as pipelines
    from lora_hub.training import recipe

    began, screen = time.monotonic(), options.screen
    asked, minimum = pipelines.read_pipeline(options.file), parse_minimum(options.min)
    publish_to = read_org(options.org, asked.org) if options.publish else ""
    here = store.list_run_ids()
    names = [name for entry in asked.entries for name in (entry.data, *(one.name for one in entry.files))]
    begun = [entry.begin for entry in asked.entries if entry.begin and entry.begin not in here]
    needs_hub = bool(begun) or any(map(is_dataset_id, names))

    def hire(work: Any) -> Any:
        hired = use_cases.hire(LOCAL, work, options.hardware, minutes=options.hardware_minutes)
        screen.say(tell_price(hired))
        return hired

    started: list[Any] = []
    try:
        with options.signals.held(), connected_hub(screen) if needs_hub else contextlib.nullcontext():
            started += use_cases.start_pipeline(
                LOCAL,
                asked,
                publish_to=publish_to,
                private=options.private,
                minimum=minimum,
                fetch=lambda name: fetch_named(name, screen),
                hire=hire if options.hardware else None,
            )
            for one in started:
                became = _("run {run_id}", run_id=one.run_id)
                if not one.run_id:
                    became = _("failed: {said}", said=joined(one.error.said, one.error.advice))
                screen.say(_("{task}: {said}", task=one.entry.task, said=became))
                progress.say_problems(screen, one.problems, one.entry.task)
            if told := [one.estimate for one in started if one.estimate is not None and not options.hardware]:
                whole = estimated(**recipe.estimate_together(told).to_json())
                screen.say(_("all in one go: {estimate}", estimate=whole) if len(told) > 1 else whole)
        ended = pipelines.wait_for_all(started, progress.GroupProgress(screen).show)
    except KeyboardInterrupt as stop:
        ids = [one.run_id for one in started if one.run_id]
        if ids:
            screen.say(CANCELLING)
        for run_id in ids:
            if not use_cases.refresh_run(LOCAL, run_id).state.is_final:
                use_cases.cancel_run(LOCAL, run_id, wait=0)
        stop.also = {
            "runs": [{"run": run_id, "state": use_cases.wait_for_run(LOCAL, run_id).state.value} for run_id in ids]
        }
        raise
    rows = [_pipeline_row(one.entry, result) for one, result in zip(started, ended, strict=True)]
    modes = [result.mode for result in ended if not isinstance(result, LoraHubError) and result.mode]
    result = {"runs": rows, "mode": modes[0] if modes else "in turn", "seconds": round(time.monotonic() - began, 1)}
    result |= _hired(ended)
    _check_pipeline(ended, result)
    return result


def _hired(ended: list[Any]) -> Result:
    """hired: the one job of all, as a run tells of it that was in it to its end."""
    runs = [one for one in ended if not isinstance(one, LoraHubError) and one.hired is not None]
    return hired_json(max(runs, key=lambda run: run.hired.seconds)) if runs else {}


def _check_pipeline(ended: list[Any], result: Result) -> None:
    """Raises if any task is incomplete. Exit status: 1 if none was trained; 2 if none could be started because every
    spec is invalid; 4 if the only failures are scores below --min; else 3."""
    rows, wrong = result["runs"], []
    for row, run in zip(rows, ended, strict=True):
        if isinstance(run, LoraHubError):
            wrong.append((row["task"], Unfinished(run.said, run.advice, also={})))
            continue
        try:
            check_ended(run, row)
        except Unfinished as error:
            wrong.append((row["task"], error))
    if not wrong:
        return
    statuses = {error.status for task, error in wrong}
    status = 1 if len(wrong) == len(rows) and statuses == {1} else 4 if statuses == {4} else 3
    if all(isinstance(run, SpecError) for run in ended):
        status = 2  # nothing was started: the specs are invalid
    # Trained tasks are not listed as untrained.
    below = [(task, error) for task, error in wrong if isinstance(error, BelowMinimum)]
    partly = [task for task, error in wrong if isinstance(error, Partly)]
    failed = [task for task, error in wrong if not isinstance(error, BelowMinimum | Partly)]
    said = []
    if failed:
        said.append(_tasks(_("{count} of {total} did not succeed: {tasks}."), failed, rows))
    if partly:
        said.append(_tasks(_("{count} of {total} trained but not published: {tasks}."), partly, rows))
    if below:
        told = [_("{task} ({below})", task=task, below=error.below) for task, error in below]
        said.append(_tasks(_("{count} of {total} trained but not good enough: {tasks}."), told, rows))
    first = next((error for task, error in wrong if not isinstance(error, BelowMinimum)), None)
    less = _("Train on more or better rows, or ask for less with --min.")
    advice = joined(first.said, first.advice) if first else less
    raise Unfinished(joined(*said), advice, also=result, status=status)


def _tasks(said: Message, tasks: list[Any], rows: list[Any]) -> Message:
    return said.filled({"count": len(tasks), "total": len(rows), "tasks": several(tasks, most=len(rows))})


def _pipeline_row(entry: Any, result: Any) -> Result:
    if isinstance(result, LoraHubError):
        return {
            "task": entry.task,
            "run": "",
            "state": "failed",
            "adapter": "",
            "metrics": {},
            "error": joined(result.said, result.advice),
        }
    row = {"task": result.spec.task.id, **run_result(result)}
    return {**row, "error": result.error.said} if result.error else row
