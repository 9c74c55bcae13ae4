"""What depends on an adapter's repo, told before it is taken away."""

from dataclasses import dataclass

from lora_hub.core.messages import Message, _, _n, several
from lora_hub.hub.card.card_metadata import MADE_FROM
from lora_hub.hub.client import full_id, open_api, told
from lora_hub.hub.collection import list_collections
from lora_hub.hub.listing import PRODUCTION, list_versions

MOST_NAMED = 50  # that are named; the Hub may know more


@dataclass(frozen=True)
class Dependents:
    """production: the version that the tag `production` stands on, or its commit; "" where nothing is in production.
    adapters: repos whose cards name this one as what they were made from. collections: titles of those that hold it.
    runs: ids of runs on this machine that were published to it; comparisons: ids of those that somebody kept and that
    asked it; `hub` knows none of both."""

    repo_id: str
    production: str = ""
    adapters: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    comparisons: tuple[str, ...] = ()

    def tell(self) -> list[Message]:
        """A sentence for each kind; none where nothing depends on it."""
        said = []
        if self.production:
            said.append(_("It is in production: version {version}.", version=self.production))
        if self.adapters:
            said.append(_("Made from it: {adapters}.", adapters=several(self.adapters, most=5)))
        if self.collections:
            said.append(_("In these collections: {names}.", names=several(self.collections, most=5)))
        if self.runs:
            said.append(
                _n(
                    "Published from {count:,} run here, which stays: {runs}.",
                    "Published from {count:,} runs here, which stay: {runs}.",
                    count=len(self.runs),
                    runs=several(self.runs, most=5),
                )
            )
        if self.comparisons:
            said.append(
                _n(
                    "Asked in {count:,} comparison that you kept, which stays.",
                    "Asked in {count:,} comparisons that you kept, which stay.",
                    count=len(self.comparisons),
                )
            )
        return said


def find_dependents(name: str) -> Dependents:
    """What the Hub knows to depend on an adapter. Five requests. Raises AdapterError, HubError."""
    repo_id = full_id(name)
    tags = list_versions(repo_id)
    at = next((one.commit for one in tags if one.tag == PRODUCTION), "")
    version = next((one.tag for one in tags if one.number and one.commit == at), at[:12])
    made = list_made_from(repo_id)
    holding = list_collections(adapter=repo_id)
    return Dependents(repo_id, version, made, tuple(one.title for one in holding))


def list_made_from(name: str) -> tuple[str, ...]:
    """Repos whose cards name an adapter as what they were made from: its exports, adapters that go on from it, and
    sums with it; at most MOST_NAMED. Raises HubError."""
    repo_id = full_id(name)
    tags = (f"base_model:{repo_id}", f"{MADE_FROM}{repo_id}")
    with told(_("list what was made from {repo}", repo=repo_id), repo_id):
        api = open_api()
        found = [info.id for tag in tags for info in api.list_models(filter=tag, limit=MOST_NAMED)]
    return tuple(one for one in dict.fromkeys(found) if one.lower() != repo_id.lower())[:MOST_NAMED]
