"""Collections of the Hub: named lists in which an organization sorts its adapters.

    made = add_to_collection(["org/spam-built-in"], "Customer service")     an existing one by its slug or title, or new
    list_collections("org"); read_collection(made.slug).adapters

The Hub decides who may see and change one. Titles and descriptions are strangers' words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lora_hub.core import settings
from lora_hub.core.errors import AdapterError, HubError
from lora_hub.core.messages import _, several
from lora_hub.hub.client import TRY_AGAIN, check_listening, full_id, hub_url, open_api, told

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# OWNER/words-of-its-title-KEY
SLUG, MOST_SLUG = re.compile(r"[\w.-]+/[\w-]+", re.ASCII), 200
# The Hub's own limit of a title; what is longer in a listing is cut.
MOST_TITLE = 60
MOST_COLLECTIONS, MOST_ITEMS = 100, 1000
MOST_DESCRIPTION = 150


@dataclass(frozen=True)
class Collection:
    """slug: its id on the Hub. adapters: repo ids of the models in it, in its order; a listing may name only the first
    few. updated: ISO 8601, UTC."""

    slug: str
    title: str
    description: str
    adapters: tuple[str, ...]
    private: bool
    updated: str
    url: str


def list_collections(org: str = "", adapter: str = "") -> list[Collection]:
    """The collections of an organization that this account may see, the last changed first; at most `MOST_COLLECTIONS`.
    adapter: those of anybody that hold this repo, instead. Raises HubError."""
    owner = None if adapter else org or settings.organization()
    what = _("list the collections of {owner}", owner=owner or adapter)
    with told(what, missing=HubError):
        api = open_api()
        check_listening()
        item = f"models/{full_id(adapter)}" if adapter else None
        return [_made(one) for one in api.list_collections(owner=owner, item=item, limit=MOST_COLLECTIONS)]


def read_collection(slug: str) -> Collection:
    """A collection with all its adapters. Raises HubError where there is none that this account may see."""
    with told(_("read the collection {name}", name=slug[:MOST_TITLE]), missing=HubError):
        return _made(_get(open_api(), slug))


def add_to_collection(adapters: Sequence[str], collection: str, org: str = "", *, private: bool = False) -> Collection:
    """Puts adapters into a collection of the organization and returns it. collection: a slug or a title; where there is
    none of that title, one is made. private: of one that is made. Those that are in it stay. Raises HubError."""
    org, name = org or settings.organization(), collection.strip()
    if not name or len(name) > MOST_TITLE and "/" not in name:
        raise HubError(
            _("A collection's title has 1 to {most} characters.", most=MOST_TITLE), _("Give it another title.")
        )
    if not adapters:
        raise HubError(_("No adapter was named."), _("Name the adapters to put into the collection."))
    names = [full_id(one) for one in adapters]
    known = list_collections(org)
    found = next((one for one in known if name == one.slug), None) or next(
        (one for one in known if name.casefold() == one.title.casefold()), None
    )
    if found is None and name.startswith(f"{org}/"):  # a slug: nobody's title begins like that by chance
        raise HubError(
            _("{org} has no collection {name}.", org=org, name=name[:200]),
            _("It has: {names}.", names=several([one.slug for one in known], most=8)) if known else TRY_AGAIN,
        )
    with told(_("put adapters into the collection {name}", name=name), names[0], missing=HubError):
        api = open_api()
        slug = found.slug if found else api.create_collection(name, namespace=org, private=private, exists_ok=True).slug
        for repo_id in names:
            _add(api, slug, repo_id)
        return _made(api.get_collection(slug))


def remove_from_collection(adapters: Sequence[str], slug: str) -> Collection:
    """Takes adapters out of a collection and returns it; the adapters themselves stay. Raises HubError."""
    names = {full_id(one).lower() for one in adapters}
    with told(_("take adapters out of the collection {name}", name=slug[:MOST_TITLE]), missing=HubError):
        api = open_api()
        for item in _get(api, slug).items:
            if item.item_type == "model" and item.item_id.lower() in names:
                api.delete_collection_item(slug, item.item_object_id, missing_ok=True)
        return _made(api.get_collection(slug))


def _add(api: "HfApi", slug: str, repo_id: str) -> None:
    """Raises AdapterError where there is no such adapter that this account may see."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.add_collection_item(slug, repo_id, "model", exists_ok=True)
    except HfHubHTTPError as error:
        if error.response.status_code != 404:
            raise
        raise AdapterError(
            _("There is no adapter {repo} on {hub}.", repo=repo_id, hub=hub_url()),
            _("`python -m lora_hub adapters` lists what there is."),
        ) from error


def _get(api: "HfApi", slug: str) -> Any:
    """Raises HubError where there is no such collection that this account may see."""
    from huggingface_hub.errors import HfHubHTTPError

    missing = HubError(
        _("There is no collection {name} that this account may see.", name=slug[:MOST_SLUG]),
        _("Choose one from the list."),
    )
    if len(slug) > MOST_SLUG or not SLUG.fullmatch(slug):  # it stands in an address
        raise missing
    try:
        return api.get_collection(slug)
    except HfHubHTTPError as error:
        if error.response.status_code == 404:
            raise missing from error
        raise


def _made(told_of: Any) -> Collection:
    items = told_of.items[:MOST_ITEMS]
    return Collection(
        slug=str(told_of.slug),
        title=str(told_of.title)[: 2 * MOST_TITLE],
        description=str(told_of.description or "")[: 2 * MOST_DESCRIPTION],
        adapters=tuple(item.item_id for item in items if item.item_type == "model"),
        private=bool(told_of.private),
        updated=told_of.last_updated.isoformat() if told_of.last_updated else "",
        url=str(told_of.url),
    )
