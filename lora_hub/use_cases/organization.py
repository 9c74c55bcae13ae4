"""A person's rights and usage, and the settings with which admins change them."""

import time
from dataclasses import dataclass
from typing import Any

from lora_hub import runs
from lora_hub.compare import test_sets
from lora_hub.core import settings
from lora_hub.core.messages import Message, _
from lora_hub.people import Person, Policy, limits, policy, rules
from lora_hub.people.rules import Action
from lora_hub.use_cases import datasets
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.keeping import what_is_kept


@dataclass(frozen=True)
class Standing:
    """may: the actions they have a right to. allowed: the limits; None: no limits. going: runs and tests that
    wait or work. minutes: that theirs took in the last 24 hours. disk_mb: of files, runs, tests and comparisons. place:
    what kind of Space this is. kept: whether that outlives it."""

    person: Person
    organization: str
    may: tuple[Action, ...]
    allowed: Policy | None = None
    going: int = 0
    minutes: float = 0.0
    disk_mb: float = 0.0
    place: Message | None = None
    kept: Message | None = None


@use_case(Action.NOTHING)
def look_at_standing(person: Person, *, with_disk: bool = True) -> Standing:
    """A person's role, rights and usage. with_disk: also measures their files, which takes a walk through them."""
    able = tuple(action for action in Action if rules.may(person, action))
    if not person.is_signed_in or Action.TRAIN not in able:
        return Standing(person, settings.organization(), able, None if person.is_local else policy.read())
    known = runs.list_runs()
    mine = [one for one in (*known, *test_sets.list_tests()) if one.owner == person.id]
    return Standing(
        person,
        settings.organization(),
        able,
        policy.read(),
        sum(not one.state.is_final for one in mine),
        limits.used_seconds(mine, time.time()) / 60,
        datasets.disk_of(person, known) / limits.MB if with_disk else 0.0,
        _what_place(),
        what_is_kept(),
    )


def _what_place() -> Message | None:
    """What kind of Space this is, in a sentence; None on a machine of one's own."""
    if not settings.in_space():
        return None
    if settings.has_zero_gpu():
        return _("This Space is on ZeroGPU: a question borrows a GPU. Train on hired hardware; here only CPUs train.")
    if name := runs.gpu_name():
        return _("This Space has a GPU of its own, {name}: it trains and answers here.", name=name)
    return _("This Space has no GPU: it trains and answers on its CPUs. Larger bases train on hired hardware.")


@use_case(Action.ADMINISTER, counted=True)
def change_policy(person: Person, changes: dict[str, Any]) -> Policy:
    """Changes what the organization allows. Raises SpecError that names the limit and the invalid value."""
    changed = policy.make({**policy.read().model_dump(mode="json"), **changes})
    policy.write(changed)
    return changed
