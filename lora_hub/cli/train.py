"""The shell's commands around training: inspect, train, pipeline, and waiting for a run."""

import argparse
import contextlib
import sys
import time
from dataclasses import replace
from typing import Any

from lora_hub.catalogue.bases import BUILT_IN
from lora_hub.cli import progress
from lora_hub.cli.options import (
    Partly,
    Unfinished,
    check_minimum,
    connected_hub,
    named_base,
    named_data,
    read_mapping,
    read_mends,
    read_org,
    read_pairs,
    read_reading,
    read_task,
)
from lora_hub.cli.text import estimated
from lora_hub.core import store
from lora_hub.core.errors import LoraHubError, RunError, SpecError
from lora_hub.core.messages import _, joined
from lora_hub.core.schema import Problem
from lora_hub.evaluation.minimum import check_metrics, parse_minimum
from lora_hub.people import LOCAL
from lora_hub.runs import run_states, tell_price
from lora_hub.runs.run_json import run_result

Result = dict[str, Any]
CANCELLING = _("cancelling ...")


def inspect(options: argparse.Namespace) -> Result:
    from lora_hub import use_cases
    from lora_hub.data.inspector import Inspector
    from lora_hub.data.mending.mends import describe

    base = named_base(options.base, options.screen)
    overrides = read_pairs(options.set, "--set KEY=VALUE")
    task = read_task(options.task) if options.task else None
    doubts = _base_problems(base)
    inspector = Inspector()
    mapping, reading = read_mapping(options.map, task), read_reading(options)
    with named_data(options.file, task, mapping, reading, options.screen, inspector) as data:
        mends = read_mends(options, inspector, data, task, base)
        seen = use_cases.inspect_dataset(
            LOCAL, inspector, data.file, task, data.mapping, mends=mends, base=base, name=data.name, **data.reading
        )
    told = {
        "problems": [
            {**problem.to_json(), "message": problem.said, "hint": problem.advice}
            for problem in (*doubts, *seen.problems)
        ],
        "mends": [{**done.to_json(), "said": describe(done.mend)} for done in seen.done],
    }
    files = {"files": [part.model_dump(mode="json") for part in data.parts]} if data.parts else {}
    return {**seen.to_json(), **files, **told, **_derived(seen, base, options.effort, overrides)}


def _base_problems(base: Any) -> list[Problem]:
    """Why `train` would refuse the base. The file can be inspected anyway."""
    from lora_hub import use_cases

    try:
        use_cases.check_base(LOCAL, base)
    except LoraHubError as error:
        return [Problem(code="base", severity="error", count=0, said=error.said, advice=error.advice)]
    return []


def _derived(seen: Any, base: Any, effort: str, overrides: dict[str, str]) -> Result:
    """settings: [{key, value, why}] as `train` would take them, each of which --set changes; estimate: {steps, seconds,
    memory_bytes} of a run with them, None where no row can be used yet."""
    from lora_hub import runs
    from lora_hub.core.errors import DataError
    from lora_hub.training import recipe
    from lora_hub.works_in import marks_of_spec

    spec = recipe.make_spec(seen.planned.task, base, seen.info, seen.mapping, effort=effort, overrides=overrides)
    explained = [{"key": key, "value": value, "why": why} for key, value, why in recipe.explain(spec)]
    works = {"works_in": [mark.to_json() for mark in marks_of_spec(spec)]}
    try:
        examples = seen.planned.examples
    except DataError:  # reported among the problems
        return {"settings": explained, "estimate": None, **works}
    expected = recipe.estimate(
        spec, tokens_row=runs.tokens_per_row(seen, examples, seen.task), **runs.what_is_known(base)
    )
    return {"settings": explained, "estimate": expected.to_json(), **works}


def read_beginning(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """(base, task, the adapter to go on from or None). Base and task are that adapter's where none is named. Raises
    SpecError where neither --task nor --from says what is trained."""
    from lora_hub import use_cases

    if not options.begin:
        if not options.task:
            raise SpecError(_("No task is named."), _("Give --task, or --from with the adapter to go on from."))
        return named_base(options.base or BUILT_IN, options.screen), read_task(options.task), None
    base = named_base(options.base, options.screen) if options.base else None
    task = read_task(options.task) if options.task.endswith((".yaml", ".yml")) else options.task
    is_run = options.begin.strip() in store.list_run_ids()
    with contextlib.nullcontext() if is_run else connected_hub(options.screen):
        parent = use_cases.find_parent(LOCAL, options.begin, task=task, base=base)
    return base or parent.base, parent.task, parent


def _sweeping(options: argparse.Namespace) -> dict[str, str]:
    return {"sweep": str(options.sweep)} if options.sweep else {}


def train(options: argparse.Namespace) -> Result:
    from lora_hub import use_cases
    from lora_hub.data.inspector import Inspector

    base, task, parent = read_beginning(options)
    minimum = parse_minimum(options.min)
    use_cases.check_base(LOCAL, base)
    inspector = Inspector()
    mapping, reading = read_mapping(options.map, task), read_reading(options)
    with named_data(options.file, task, mapping, reading, options.screen, inspector) as data:
        file = use_cases.add_dataset(LOCAL, data.file, data.name)  # read once, for the mends and for the plan
        plan = use_cases.plan_run(
            LOCAL,
            file,
            task,
            base,
            mapping=data.mapping,
            mends=read_mends(options, inspector, replace(data, file=file), task, base),
            effort=options.effort,
            overrides=_sweeping(options) | read_pairs(options.set, "--set KEY=VALUE"),
            test_file=options.test,
            name=options.name,
            dataset_name=data.name,
            parts=data.parts,
            publish_to=read_org(options.org) if options.publish else "",
            minimum=minimum,
            parent=parent,
            publish_private=options.private,
            reading=data.reading,
            inspector=inspector,
        )
    screen = options.screen
    if parent is not None:
        screen.say(_("goes on from {name}", name=parent.noun.name))
    progress.say_problems(screen, plan.problems)
    plan.check()
    estimate, hired = plan.estimate, None
    if options.hardware:
        minutes = options.hardware_minutes
        hired = use_cases.hire(LOCAL, [(plan.spec, estimate.tokens_row)], options.hardware, minutes=minutes)
        screen.say(tell_price(hired))
    else:
        screen.say(estimated(**estimate.to_json()))
    run = train_to_its_end(options, plan.spec, base_checked=True, hired=hired)
    result = run_result(run)
    check_ended(run, result)
    return result


def train_to_its_end(options: argparse.Namespace, spec: Any, **named: Any) -> Any:
    """Starts a run and waits for it; whoever interrupts that cancels it. named: as for `start_run`."""
    from lora_hub import use_cases

    screen, started = options.screen, None
    try:
        with options.signals.held():  # so that no started run is forgotten
            started = use_cases.start_run(LOCAL, spec, **named)
            screen.say(_("run {run_id}", run_id=started.id))
        with progress.ProgressBar(screen) as bar:
            return use_cases.wait_for_run(LOCAL, started.id, bar.show)
    except KeyboardInterrupt as ended:
        if started is not None:
            print(file=sys.stderr)
            screen.say(CANCELLING)
            ended.also = {"run": started.id, "state": _cancel(started.id).state.value}
        raise


def check_ended(run: Any, result: Result) -> None:
    """Raises Unfinished, with the matching exit status, if the run did not complete everything that was asked."""
    if run.adapter_folder or run.adapter:
        check_minimum(run.spec.minimum, run.metrics, result)
    if run.state != "succeeded":
        if run.error:
            raise Unfinished(run.error.said, run.error.advice, also=result)
        go_on = _("Go on with it: {command}", command=f"python -m lora_hub runs resume {run.id}")
        raise Unfinished(
            _("The run {run_id} was {state}.", run_id=run.id, state=run_states.word(run.state)), go_on, also=result
        )
    if run.error:
        raise Partly(
            run.error.said,
            joined(run.error.advice, _("The adapter is in {place}.", place=result["adapter"])),
            also=result,
        )


def _cancel(run_id: str) -> Any:
    from lora_hub import use_cases

    try:
        return use_cases.cancel_run(LOCAL, run_id)
    except RunError:  # it has ended in the meantime
        return use_cases.refresh_run(LOCAL, run_id)


def wait(options: argparse.Namespace) -> Result:
    """`runs wait ID`: returns when the run has ended, with the exit status that `train` would have returned."""
    from lora_hub import use_cases

    minimum = parse_minimum(options.min)
    if minimum:
        check_metrics(minimum, use_cases.refresh_run(LOCAL, options.id).spec.task)
    deadline = time.monotonic() + options.timeout if options.timeout else None
    with progress.ProgressBar(options.screen) as bar:

        def look(run: Any) -> None:
            bar.show(run)
            if deadline is not None and time.monotonic() > deadline and not run.state.is_final:
                raise Unfinished(
                    _(
                        "The run {run_id} has not ended after {seconds:g} s: {state}.",
                        run_id=run.id,
                        seconds=options.timeout,
                        state=run_states.word(run.state),
                    ),
                    _("It goes on; wait again, or cancel it."),
                    also=run_result(run),
                    status=124,
                )

        run = use_cases.wait_for_run(LOCAL, options.id, look)
    result = run_result(run)
    check_ended(run, result)
    check_minimum(minimum, run.metrics, result)
    return result
