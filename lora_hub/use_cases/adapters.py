"""The organization's adapters: the list, and each adapter's facts, versions and card, as this person may see them;
collections of them; unpublishing and deleting them, as the Hub lets this person, with their own token, also where the
Space publishes with its own: that one reaches more than they may."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lora_hub import hub, runs
from lora_hub.catalogue import bases
from lora_hub.core.errors import BaseError
from lora_hub.core.schema import AdapterRef, BaseModel
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.kept_comparisons import list_comparisons
from lora_hub.use_cases.watching import visible
from lora_hub.works_in import Mark, marks

# The name of a repo, as a published configuration has it.
REPO = re.compile(r"[\w.-]+/[\w.-]+")
MOST_COMPARISONS = 1000  # that are looked through, the newest first


@use_case(Action.BROWSE, counted=True)
def list_adapters(person: Person, **named: Any) -> list[AdapterRef]:
    """As `hub.list_adapters`."""
    return hub.list_adapters(**named)


@use_case(Action.BROWSE)
def filter_adapters(
    person: Person, found: Sequence[AdapterRef], wanted: hub.Wanted, titles: Mapping[str, str] | None = None
) -> list[AdapterRef]:
    """As `hub.filter_adapters`, of adapters that were listed for this person."""
    return hub.filter_adapters(found, wanted, titles)


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
def list_made_from(person: Person, repo_id: str) -> tuple[str, ...]:
    """As `hub.list_made_from`."""
    return hub.list_made_from(repo_id)


@use_case(Action.BROWSE)
def read_card(person: Person, repo_id: str, revision: str = "") -> str:
    """As `hub.read_card`."""
    return hub.read_card(repo_id, revision)


@use_case(Action.BROWSE)
def mark_adapters(person: Person, refs: Sequence[AdapterRef]) -> dict[str, tuple[Mark, ...]]:
    """Where each of these works, by repo id; without those whose cards do not tell their shape. Asks no Hub."""
    told = [ref for ref in refs if ref.lora]
    known = _bases_of(told)
    return {ref.repo_id: _marks(ref.lora, known[ref.repo_id], ref) for ref in told}


@use_case(Action.BROWSE, counted=True)
def mark_adapter(person: Person, ref: AdapterRef) -> tuple[Mark, ...]:
    """Where one works, from its `adapter_config.json`. Raises AdapterError, HubError."""
    known = _bases_of([ref])
    return _marks(hub.read_adapter_config(ref.repo_id, ref.revision), known[ref.repo_id], ref)


def _bases_of(refs: Sequence[AdapterRef]) -> dict[str, BaseModel | None]:
    """By repo id, what is known here of each one's base."""
    named = {name: _base_named(name) for name in {ref.base for ref in refs}}
    here = _bases_of_runs([ref for ref in refs if named[ref.base] is None and not ref.lora.get("base")])
    return {ref.repo_id: named[ref.base] or here.get(ref.repo_id) for ref in refs}


def _bases_of_runs(refs: Sequence[AdapterRef]) -> dict[str, BaseModel]:
    """By repo id, the bases of adapters that were trained here, for cards that do not tell of a base without a repo.
    The folders of others' runs are among them: of those nothing is told but the architecture."""
    wanted = {ref.repo_id for ref in refs}
    found = runs.list_runs() if wanted else []
    return {run.adapter.repo_id: run.spec.base for run in found if run.adapter and run.adapter.repo_id in wanted}


def _marks(config: dict[str, Any], base: BaseModel | None, ref: AdapterRef) -> tuple[Mark, ...]:
    # The built-in base is a folder here and a repo there, to which the published configuration points.
    named = config.get("base_model_name_or_path")
    is_repo = isinstance(named, str) and REPO.fullmatch(named) is not None
    quantization = str(ref.lora.get("quantization", "none"))
    return marks(config, base, quantization=quantization, on_hub=is_repo, told_base=ref.lora.get("base"))


def _base_named(name: str) -> BaseModel | None:
    """A base by the name that a card gives it, which strangers write: None where nobody here knows it."""
    try:
        return bases.get_base(name, folders=False)
    except BaseError:
        return None


@use_case(Action.BROWSE)
def read_figures(person: Person, repo_id: str, text: str) -> dict[str, bytes]:
    """As `hub.read_figures`."""
    return hub.read_figures(repo_id, text)


@use_case(Action.BROWSE, counted=True)
def find_dependents(person: Person, repo_id: str) -> hub.Dependents:
    """As `hub.find_dependents`, with the runs that this person may see and that were published there, and the
    comparisons that they kept and that asked it."""
    found = hub.find_dependents(repo_id)
    kept = list_comparisons(person, search=found.repo_id, most=MOST_COMPARISONS)
    asked = [one.id for one in kept if found.repo_id in {view.name.partition("@")[0] for view in one.answers}]
    here = [run.id for run in visible(person, runs.list_runs()) if run.adapter and run.adapter.repo_id == found.repo_id]
    return replace(found, runs=tuple(here), comparisons=tuple(asked))


@use_case(Action.PUBLISH, counted=True)
def unpublish_adapter(person: Person, repo_id: str) -> AdapterRef:
    """As `hub.unpublish_adapter`."""
    return hub.unpublish_adapter(repo_id)


@use_case(Action.PUBLISH, counted=True)
def put_back(person: Person, repo_id: str) -> AdapterRef:
    """As `hub.put_back`."""
    return hub.put_back(repo_id)


@use_case(Action.BROWSE, counted=True)
def list_collections(person: Person, org: str = "") -> list[hub.Collection]:
    """As `hub.list_collections`."""
    return hub.list_collections(org)


@use_case(Action.BROWSE, counted=True)
def read_collection(person: Person, slug: str) -> hub.Collection:
    """As `hub.read_collection`."""
    return hub.read_collection(slug)


@use_case(Action.PUBLISH, counted=True)
def add_to_collection(person: Person, adapters: Sequence[str], collection: str, org: str = "") -> hub.Collection:
    """As `hub.add_to_collection`."""
    return hub.add_to_collection(adapters, collection, org)


@use_case(Action.PUBLISH, counted=True)
def remove_from_collection(person: Person, adapters: Sequence[str], slug: str) -> hub.Collection:
    """As `hub.remove_from_collection`."""
    return hub.remove_from_collection(adapters, slug)


@use_case(Action.PUBLISH, counted=True)
def plan_deletion(person: Person, repo_id: str, version: str = "") -> hub.Deletion:
    """As `hub.plan_deletion`."""
    return hub.plan_deletion(repo_id, version)


@use_case(Action.PUBLISH, counted=True)
def delete_adapter(person: Person, repo_id: str, version: str = "") -> hub.Deletion:
    """As `hub.delete_adapter`."""
    return hub.delete_adapter(repo_id, version)
