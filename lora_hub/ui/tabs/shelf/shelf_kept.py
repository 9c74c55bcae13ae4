"""Listings that the shelf filters, kept for a minute: a search asks the Hub nothing at each letter.

    kept.refresh(person, "org")          asks the Hub: when the tab is opened, or something has changed
    kept.listed(person, "org")           as it was listed for this person; asked now where nothing is kept

Kept for each person by themselves: others may not see the same private repos.
"""

import logging
import threading
import time
from dataclasses import dataclass

from lora_hub import use_cases
from lora_hub.core.errors import HubError, LoraHubError
from lora_hub.core.schema import AdapterRef
from lora_hub.hub import Collection
from lora_hub.people import Person

KEPT_SECONDS, MOST_KEPT = 60.0, 32
logger = logging.getLogger("lora_hub.ui")


@dataclass(frozen=True)
class Listing:
    """adapters: those that were unpublished, too. missing: there is no such organization. failed: the Hub could not be
    asked, and whoever asked was told so. at: monotonic seconds."""

    adapters: tuple[AdapterRef, ...] = ()
    collections: tuple[Collection, ...] = ()
    missing: LoraHubError | None = None
    failed: bool = False
    at: float = 0.0

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at < KEPT_SECONDS


class KeptListings:
    """One object per page built; its visitors share it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], Listing] = {}
        self._lock = threading.Lock()

    def refresh(self, person: Person, organization: str) -> Listing:
        """Asks the Hub. Raises LoraHubError where it cannot be asked."""
        key = (person.id, person.role, organization)
        try:
            found = use_cases.list_adapters(person, org=organization, unpublished=True)
        except LoraHubError:
            self._keep(key, Listing(failed=True, at=time.monotonic()))
            raise
        made = Listing(tuple(found), _collections(person, organization), at=time.monotonic())
        if not found:
            try:
                use_cases.check_owner(person, organization)
            except HubError as error:
                made = Listing(missing=error, at=made.at)
        self._keep(key, made)
        return made

    def listed(self, person: Person, organization: str) -> Listing:
        """What is kept, or what `refresh` says. Raises like it."""
        with self._lock:
            kept = self._kept.get((person.id, person.role, organization))
        return kept if kept is not None and kept.is_fresh else self.refresh(person, organization)

    def collection(self, person: Person, slug: str) -> Collection:
        """A collection with all its adapters. Raises HubError."""
        key = (person.id, person.role, "", slug)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or not kept.is_fresh:
            kept = Listing(collections=(use_cases.read_collection(person, slug),), at=time.monotonic())
            self._keep(key, kept)
        return kept.collections[0]

    def forget(self, person: Person) -> None:
        """What this person was told: they have changed something."""
        with self._lock:
            self._kept = {key: one for key, one in self._kept.items() if key[0] != person.id}

    def _keep(self, key: tuple[str, ...], made: Listing) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = made
            while len(self._kept) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))


def _collections(person: Person, organization: str) -> tuple[Collection, ...]:
    """The shelf can be seen on a Hub that has no collections, too."""
    try:
        return tuple(use_cases.list_collections(person, organization))
    except HubError as error:
        logger.warning("the collections of %s were not listed: %s", organization, error)
        return ()
