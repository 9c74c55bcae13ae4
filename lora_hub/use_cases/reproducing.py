"""Trains a published adapter again from its record, and says how far the two are apart."""

import functools
from pathlib import Path
from typing import Any

from lora_hub import hub, runs
from lora_hub.answering import adapter_base
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, reproducing
from lora_hub.core.errors import AdapterError, BaseError
from lora_hub.core.schema import BaseModel, TrainSpec
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases import datasets
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.training import check_allowed, find_base, within_limits
from lora_hub.use_cases.watching import may_see, owned


@use_case(Action.TRAIN, counted=True)
def plan_again(
    person: Person, name: str, file: Path, *, test_file: Path | None = None, base: str = "", **named: Any
) -> runs.Again:
    """As `runs.plan_again`, of the adapter of this name. base: where its base lies, if elsewhere than the record says;
    a record never names a folder of this machine. Raises HubError, too, and AccessError if it exceeds a limit."""
    for one in (file, test_file):
        if one is not None:
            datasets.check_own(person, one)
    record = hub.fetch_record(name)
    found = find_base(person, base) if base else _base_of(runs.recorded_spec(record, name), name)
    check_allowed(person, found)
    again = runs.plan_again(record, file, found, name=name, test_file=test_file, **named)
    within_limits(person, again.plan)
    return again


@use_case(Action.TRAIN, counted=True)
def read_settings(person: Person, name: str) -> tuple[TrainSpec, bool]:
    """What a published adapter was trained with, as its record tells it, and whether its base is known here: where it
    is not, the built-in one stands in its place. The record may be a stranger's: it names no folder of this machine.
    Raises AdapterError, HubError."""
    spec = runs.recorded_spec(hub.fetch_record(name), name)
    try:
        base, is_known = _base_of(spec, name), True
        check_allowed(person, base)
    except (AdapterError, BaseError):
        base, is_known = bases.get_base(bases.BUILT_IN), False
    return spec.model_copy(update={"base": base}), is_known


def _base_of(spec: TrainSpec, name: str) -> BaseModel:
    """The base that a record names: by its weights where it tells them, so that a folder that was trained on here is
    found; else by its public id. Raises AdapterError, BaseError."""
    told = spec.base
    if told.fingerprint:
        return adapter_base.base_of_record(name, told)
    return bases.get_base(f"{told.id}@{told.revision}" if told.revision else told.id, folders=False)


@use_case(Action.TRAIN, counted=True)
def compare_again(person: Person, comparer: Comparer, name: str, run_id: str, **named: Any) -> reproducing.Reproduction:
    """As `reproducing.compare_again`, of this person's run. Raises AccessError for another's."""
    run = owned(person, run_id)
    check_allowed(person, run.spec.base)
    return reproducing.compare_again(comparer.bases, name, run_id, owner="" if person.is_local else person.id, **named)


@use_case(Action.TRAIN, counted=True)
def check_adapter(
    person: Person, comparer: Comparer, name: str, again: runs.Again, **named: Any
) -> reproducing.Checked:
    """As `reproducing.check_adapter`, of what `plan_again` planned for this person."""
    check_allowed(person, again.plan.spec.base)
    sees = functools.partial(may_see, person)
    return reproducing.check_adapter(comparer.bases, hub.owned(name), again, sees=sees, **named)
