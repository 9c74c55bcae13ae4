"""The multi-task pipeline: several tasks' data, one frozen base, an adapter for each, trained in one go.

started = start_pipeline(read_pipeline(Path("pipeline.yaml")))      pipeline_file.py says what stands in it
wait_for_all(started)

A task whose data cannot be trained on fails alone; the others go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_hub.core import store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Hired, Problem, Run, TrainSpec
from lora_hub.runs.combined_files import keep_combined
from lora_hub.runs.control import start_runs
from lora_hub.runs.looking import refresh_run, wait_for_run
from lora_hub.runs.machine import check_base
from lora_hub.runs.parents import find_parent
from lora_hub.runs.pipeline_file import Entry, Pipeline, make_pipeline, read_pipeline
from lora_hub.runs.planning import Plan, plan_run
from lora_hub.runs.publishing import check_publishing
from lora_hub.training.recipe import Estimate

__all__ = ["Entry", "Pipeline", "Started", "make_pipeline", "read_pipeline", "start_pipeline", "wait_for_all"]


@dataclass(frozen=True)
class Started:
    """An entry and what became of it: its run, or why there is none. problems: what was found in its data. estimate: of
    its run alone, on this machine."""

    entry: Entry
    run_id: str = ""
    error: LoraHubError | None = None
    problems: tuple[Problem, ...] = ()
    estimate: Estimate | None = None


def start_pipeline(
    pipeline: Pipeline,
    *,
    publish_to: str = "",
    private: bool = False,
    minimum: dict[str, float] | None = None,
    fetch: Callable[[str], Path] | None = None,
    environment: dict[str, str] | None = None,
    hire: Callable[[list[tuple[TrainSpec, float]]], Hired] | None = None,
) -> list[Started]:
    """Plans every task and starts a process that trains all that can be trained. publish_to: an organization, or "";
    private: only its members see what is published. minimum: what each adapter has to reach, beside its own entry's.
    fetch: makes a file of a dataset id. hire: asked for the hardware of the job that trains all, as `hiring.hire`;
    None: they are trained here. Raises LoraHubError only where the base itself won't do, or nothing can be hired."""
    check_base(pipeline.base)
    planned = [(entry, _plan(entry, pipeline, publish_to, private, fetch, minimum or {})) for entry in pipeline.entries]
    good = [plan for _, plan in planned if isinstance(plan, Plan)]
    hired = hire([(plan.spec, plan.estimate.tokens_row) for plan in good]) if hire and good else None
    specs = [plan.spec for plan in good]
    started = iter(start_runs(specs, environment=environment, hired=hired, base_checked=True) if good else [])
    return [
        Started(entry, run_id=next(started).id, problems=plan.problems, estimate=plan.estimate)
        if isinstance(plan, Plan)
        else Started(entry, error=plan)
        for entry, plan in planned
    ]


def wait_for_all(
    started: Sequence[Started], on_change: Callable[[list[Run]], None] | None = None
) -> list[Run | LoraHubError]:
    """The runs when all have ended, in the pipeline's order; the error where there is no run."""
    ended: dict[str, Run] = {}
    reader, run_ids = RunReader(), [one.run_id for one in started if one.run_id]

    def look(_: Run) -> None:
        if on_change is not None:
            on_change([refresh_run(run_id, reader) for run_id in run_ids])

    for run_id in run_ids:
        ended[run_id] = wait_for_run(run_id, look, reader=reader)
    return [ended[one.run_id] if one.run_id else one.error for one in started]


def _plan(
    entry: Entry,
    pipeline: Pipeline,
    publish_to: str,
    private: bool,
    fetch: Callable[[str], Path] | None,
    minimum: dict[str, float],
) -> Plan | LoraHubError:
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.data.combining import OneFile, combine_files, roles_of
    from lora_hub.data.inspector import Inspector
    from lora_hub.data.mending.mend_arguments import parse_mends

    try:
        inspector = Inspector()
        if entry.begin:
            named = entry.own or ("" if entry.task == entry.begin else entry.task)
            parent = find_parent(entry.begin, task=named, base=pipeline.base)
            task = parent.task
        else:
            parent, task = None, entry.own or catalogue.get_task(entry.task)
        find = fetch or Path
        mapping, reading, parts = entry.map or None, entry.reading, ()
        if entry.files:
            kept = [OneFile(store.add_dataset(find(one.name)), one.weight, one.map, one.reading) for one in entry.files]
            combined = combine_files(inspector.read, kept, task, mapping, **reading)
            given, parts = keep_combined(combined.text, combined.name), combined.parts
            mapping, reading = roles_of(parts), {}
        else:
            given = find(entry.data)
        file = store.add_dataset(given)  # read once, for the mends and for the plan
        plan = plan_run(
            file,
            task,
            pipeline.base,
            mapping=mapping,
            mends=parse_mends(entry.mend, inspector, file, task, mapping, pipeline.base, entry.test, **reading),
            effort=pipeline.effort,
            overrides=entry.set,
            test_file=entry.test,
            name=entry.name,
            dataset_name=given.name,
            publish_to=publish_to,
            publish_private=private or entry.private,
            minimum={**minimum, **entry.minimum},
            parent=parent,
            parts=parts,
            reading=reading,
            inspector=inspector,
        )
        plan.check()
        check_publishing(plan.spec)
        return plan
    except LoraHubError as error:
        return error
