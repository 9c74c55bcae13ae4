"""The organization's adapters: the list, and each adapter's facts, versions and card, as this person may see them;
deleting them, as the Hub lets this person."""

from typing import Any

from lora_hub import hub
from lora_hub.core.schema import AdapterRef
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case


@use_case(Action.BROWSE, counted=True)
def list_adapters(person: Person, **named: Any) -> list[AdapterRef]:
    """As `hub.list_adapters`."""
    return hub.list_adapters(**named)


@use_case(Action.BROWSE)
def check_owner(person: Person, name: str) -> None:
    """As `hub.check_owner`."""
    hub.check_owner(name)


@use_case(Action.BROWSE, counted=True)
def get_adapter(person: Person, repo_id: str, revision: str = "") -> AdapterRef:
    """As `hub.get_adapter`."""
    return hub.get_adapter(repo_id, revision)


@use_case(Action.BROWSE)
def list_versions(person: Person, repo_id: str) -> list[hub.Version]:
    """As `hub.list_versions`."""
    return hub.list_versions(repo_id)


@use_case(Action.BROWSE)
def read_card(person: Person, repo_id: str, revision: str = "") -> str:
    """As `hub.read_card`."""
    return hub.read_card(repo_id, revision)


@use_case(Action.PUBLISH, counted=True)
def plan_deletion(person: Person, repo_id: str, version: str = "") -> hub.Deletion:
    """As `hub.plan_deletion`."""
    return hub.plan_deletion(repo_id, version)


@use_case(Action.PUBLISH, counted=True)
def delete_adapter(person: Person, repo_id: str, version: str = "") -> hub.Deletion:
    """As `hub.delete_adapter`, with this person's own token, also where the Space publishes with its own: that one
    reaches more than they may."""
    return hub.delete_adapter(repo_id, version)
