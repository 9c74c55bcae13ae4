"""Publishes an adapter to the organization: as the person or, if the organization wants that, as the Space."""

import os
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from lora_hub import runs
from lora_hub.core import settings
from lora_hub.core.errors import HubError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import TrainSpec
from lora_hub.hub import acting_as
from lora_hub.people import Person, policy
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.watching import check_changes, owned


def token_of(person: Person) -> str:
    """The token for publishing this person's adapters. Raises HubError if it has to be the Space's and there is
    none."""
    if policy.read().publish_as == "person":
        return person.token
    token = os.environ.get(settings.SERVICE_TOKEN, "")
    if not token:
        raise HubError(
            _("{organization} publishes with this Space's own token, but the Space has none."),
            _("An admin sets the secret {name}, or lets each person publish."),
            organization=settings.organization(),
            name=settings.SERVICE_TOKEN,
        )
    return token


def asked_as(person: Person) -> AbstractContextManager[None]:
    """Inside this block, requests to the Hub use the token that this person's adapters are published with."""
    return acting_as(person if person.is_local else replace(person, token=token_of(person)))


@use_case(Action.PUBLISH)
def publishing_trouble(person: Person, spec: TrainSpec) -> LoraHubError | None:
    """Why this person could not publish an adapter of this spec; checked before the training."""
    try:
        with asked_as(person):
            return runs.publishing_trouble(spec)
    except LoraHubError as error:
        return error


@use_case(Action.PUBLISH, counted=True)
def plan_publication(person: Person, run_id: str, *, org: str = "", name: str = "") -> runs.Publication:
    """What publishing this person's run would do. Raises RunError, AccessError, HubError, AdapterError."""
    run = owned(person, run_id)
    _check_where(person, org)
    with asked_as(person):
        return runs.plan_publication(run, org=org, name=name, asks_first=not person.is_local)


@use_case(Action.PUBLISH, counted=True)
def publish_run(person: Person, run_id: str, **named: Any) -> Any:
    """Publishes a run's adapter, as `runs.publish_run`; returns a `Published`. Raises RunError, AccessError,
    HubError."""
    check_changes(person, run_id)
    _check_where(person, named.get("org", ""))
    with asked_as(person):
        return runs.publish_run(run_id, **named)


def _check_where(person: Person, org: str) -> None:
    """Raises HubError if the Space's own token would publish outside the organization, because that token reaches more
    than the person may."""
    if person.is_local or policy.read().publish_as == "person":
        return
    organization = settings.organization()
    if org and org.strip().lower() != organization.lower():
        raise HubError(
            _("This Space publishes with its own token, and to {organization} only."),
            _("Choose {organization}."),
            organization=organization,
        )
