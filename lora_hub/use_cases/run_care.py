"""Keeping many runs apart: their names, their tags, finding them again, and what can be taken away of each."""

import json
from collections.abc import Sequence

from lora_hub import runs
from lora_hub.core import events, store
from lora_hub.core.errors import RunError, SpecError
from lora_hub.core.messages import _, _n, several
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Run
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.watching import owned, read_log, seen, visible

# Of a log that is taken away.
MOST_LINES = 50_000


@use_case(Action.TRAIN, counted=True)
def rename_run(person: Person, run_id: str, name: str) -> Run:
    """Gives a run of this person a name, by which it is listed; "" takes it back. What is published keeps its name.
    Raises RunError, AccessError, SpecError."""
    run, kept = owned(person, run_id), runs.clean_name(name)
    if kept != run.name:
        _append(run_id, "renamed", name=kept)
    return seen(person, run_id)


@use_case(Action.TRAIN, counted=True)
def tag_run(person: Person, run_id: str, tags: Sequence[str]) -> Run:
    """Gives a run of this person these tags in place of those that it had. Raises RunError, AccessError, SpecError."""
    run, kept = owned(person, run_id), runs.clean_tags(tags)
    if kept != run.tags:
        _append(run_id, "tagged", tags=list(kept))
    return seen(person, run_id)


@use_case(Action.BROWSE)
def find_runs(person: Person, wanted: runs.Wanted, known: Sequence[Run] | None = None) -> list[Run]:
    """The runs that this person may see and that are wanted, newest first. known: all runs, where they were listed."""
    return runs.find_runs(visible(person, runs.list_runs() if known is None else known), wanted)


@use_case(Action.BROWSE)
def compare_runs(
    person: Person, run_ids: Sequence[str], reader: RunReader | None = None
) -> tuple[list[Run], list[tuple[str, list[str]]]]:
    """Runs that this person may see, 2 to 8, and the settings in which they differ (`runs.find_differing`). Raises
    RunError, SpecError."""
    wanted = list(dict.fromkeys(run_ids))
    if not runs.LEAST_BESIDE <= len(wanted) <= runs.MOST_BESIDE:
        raise SpecError(
            _n(
                "{count:,} run cannot stand beside others.",
                "{count:,} runs cannot stand beside each other.",
                count=len(wanted),
            ),
            _("Choose {least} to {most}.", least=runs.LEAST_BESIDE, most=runs.MOST_BESIDE),
        )
    known = {run.id: run for run in visible(person, runs.list_runs(reader))}
    found = [known.get(run_id) or seen(person, run_id, reader) for run_id in wanted]
    return found, runs.find_differing(found)


@use_case(Action.BROWSE)
def export_run(person: Person, run_id: str, what: str) -> runs.RunFile:
    """A run that this person may see as a file: what is one of `runs.FILES`. Its log is for whoever may change it
    (`read_log`), and only whoever sits at the machine reads where data lies. Raises RunError, SpecError."""
    run = seen(person, run_id)
    if what not in runs.FILES:
        raise SpecError(
            _("A run has no file called {what!r}.", what=what[:40]),
            _("Choose one of: {choices}.", choices=several(runs.FILES)),
        )
    return runs.RunFile(f"{run.id}-{runs.FILES[what]}", _text_of(person, run, what))


def _text_of(person: Person, run: Run, what: str) -> str:
    if what == "settings":
        return runs.to_yaml(run, shows_places=person.is_local)
    if what == "log":
        return read_log(person, run.id, MOST_LINES)
    if what == "rows":
        found = runs.held_out_of(run)
        if not found.rows:
            raise RunError(
                _("The run {run_id} has no held-out rows with answers.", run_id=run.id),
                found.missing or _("They come when it is scored."),
            )
        return runs.answers_csv(found.rows)
    rows = runs.metrics_rows(run)
    if not rows:
        raise RunError(_("The run {run_id} has no losses yet.", run_id=run.id), _("They begin with its first steps."))
    if what == "metrics-json":
        return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    return runs.metrics_csv(run)


def _append(run_id: str, kind: str, **data: object) -> None:
    with store.disk_errors(store.run_folder(run_id)):
        events.app_log(store.events_file(run_id)).append(kind, **data)
