"""Taking an adapter away, and putting what was made on the Hub as a repo of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lora_hub import exporting, hub
from lora_hub.compare import Comparer, held_out_set
from lora_hub.core import store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import Run
from lora_hub.exporting import Exported, Source, Step
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.comparing import resolved
from lora_hub.use_cases.watching import seen


@use_case(Action.TRAIN, counted=True)
def export_adapter(
    person: Person,
    name: str,
    to: str,
    type_: str,
    folder: Path,
    *,
    base: str = "",
    packed: bool = False,
    put_into: str = "",
) -> Iterator[Step | Exported]:
    """As `exporting.export`, of an adapter by its repo, folder or run; of a run its owner and the organization's admins
    may. What cannot be made is refused before the base is fetched. base: as in `resolve`. put_into: the repo that
    `check_push` named, for the card. Raises LoraHubError."""
    if (run := _seen_run(person, name)) is not None:
        rules.check_owner(person, run)
    [pane] = resolved(person, Comparer(base), [name])
    base_repo = pane.base.origin.hub_id if pane.base.origin else pane.base.id if "/" in pane.base.id else ""
    source = Source(
        name=(run.spec.name if run else "") or pane.name.rpartition("/")[2].partition("@")[0] or pane.name,
        folder=Path(str(pane.folder)),
        base=pane.base,
        base_folder=Path(),
        task=pane.task,
        repo=pane.name.partition("@")[0] if pane.revision and pane.name not in store.list_run_ids() else "",
        revision=pane.revision,
        base_repo=base_repo if not pane.base.folder or pane.base.origin else "",
        put_into=put_into,
    )
    exporting.check(source, to, type_)
    source = replace(source, base_folder=hub.fetch_base_folder(pane.base), rows=_rows(person, pane.run))
    yield from exporting.export(source, to, type_, folder, packed=packed)


def _seen_run(person: Person, name: str) -> Run | None:
    """The run of that name; None where none is here that this person may see."""
    try:
        return seen(person, name) if name in store.list_run_ids() else None
    except LoraHubError:
        return None


def _rows(person: Person, run: str) -> tuple[dict, ...]:
    """Held-out rows of the run that the adapter was trained in, where it is here and this person may see it."""
    if _seen_run(person, run) is None:
        return ()
    try:
        found = held_out_set(run, most=exporting.MOST_ROWS)
    except LoraHubError:
        return ()
    return tuple(one.inputs for one in found.examples) if found else ()


@use_case(Action.PUBLISH)
def check_push(person: Person, name: str, *, org: str = "") -> str:
    """The id of the repo that an export would be put into, before hours are spent on it. Raises HubError."""
    return hub.check_push(name, org=org)


@use_case(Action.PUBLISH, counted=True)
def push_export(person: Person, made: Exported, name: str, *, org: str = "", private: bool = False) -> str:
    """Puts an export on the Hub as a repo of its own, and returns its address. Raises HubError."""
    return hub.push_export(made.folder, made.files, name, org=org, private=private)
