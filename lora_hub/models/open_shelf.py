"""The models of an app that several people share: whoever asks may ask what the Hub lets them read.

shelf = OpenShelf()
shelf.pane(person, "spam@v2")        by the names of `shelves`
"""

import threading
import time
from contextlib import AbstractContextManager, nullcontext

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.compare import Pane, routing
from lora_hub.core import settings
from lora_hub.core.recent import Recent
from lora_hub.core.schema import BASE, AdapterRef, BaseModel
from lora_hub.models.kept_panes import Panes
from lora_hub.models.shelved import Shelved, check_name, fetched, shelved_of
from lora_hub.people import Person

# So long may somebody still ask what the Hub let them read, and so long the base is not chosen anew.
SEEN_SECONDS, BASE_SECONDS = 30.0, 60.0
# Listings that are kept for `auto`.
MOST_SEEN = 64


class OpenShelf:
    """What an app serves: every adapter that the person who asks may read, of any base. Their rights are asked of the
    Hub again after `SEEN_SECONDS`. Thread-safe."""

    is_given = False

    def __init__(self) -> None:
        self._panes, self._lock = Panes(), threading.Lock()
        self._base: tuple[BaseModel, float] | None = None
        self._seen: Recent[tuple[str, str], tuple[tuple[AdapterRef, ...], float]] = Recent(MOST_SEEN)

    @property
    def org(self) -> str:
        return settings.organization()

    def base(self, person: Person) -> Pane:
        """The base that most of the organization's adapters are of. Raises HubError."""
        found = self._base
        if found is None or time.monotonic() - found[1] > BASE_SECONDS:
            found = self._base = bases.get_base(routing.most_used_base(), folders=False), time.monotonic()
        return Pane(BASE, found[0], found[0].revision)

    def names(self, person: Person) -> list[Shelved]:
        """All models but `base` and `auto`, as this person sees them. Raises HubError."""
        org = settings.organization()
        return sorted((shelved_of(ref, org) for ref in hub.list_adapters(org)), key=lambda one: one.name)

    def candidates(self, person: Person, base: BaseModel) -> tuple[AdapterRef, ...]:
        """Those that `auto` stands for, as this person sees them. Raises HubError."""
        now, key = time.monotonic(), (person.id, base.id)
        with self._lock:
            found, when = self._seen.get(key, ((), 0.0))
        if not when or now - when > SEEN_SECONDS:
            found = tuple(hub.list_adapters(settings.organization(), base=base.id)[: routing.MOST_CANDIDATES])
            with self._lock:
                self._seen[key] = (found, now)
        return found

    def pane(self, person: Person, name: str) -> Pane:
        """The adapter of a name. Raises NoModel, HubError."""
        check_name(name)
        repo = hub.owned(name)
        return self._panes.get((person.id, repo), lambda: fetched(name, repo), SEEN_SECONDS)

    def using(self, pane: Pane) -> AbstractContextManager[None]:
        """Nothing is removed here while it is asked."""
        return nullcontext()
