"""By which names programs know models, and the panes behind them.

    base           the base alone
    spam           the adapter lora-hub/spam of this organization; lora-hub/spam is the same
    spam@v2        a version of it, or any of its tags and commits
    auto           the adapter that the question is for (the router)

A name that is none of these is no model, and never the base. What is asked again is asked without a request to the Hub.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.compare import Pane, base_key, find_here, routing
from lora_hub.core import settings
from lora_hub.core.disk import expand
from lora_hub.core.errors import AdapterError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, AdapterRef, BaseModel
from lora_hub.models.kept_panes import Panes
from lora_hub.models.shelved import NoModel, Shelved, check_name, fetched, no_model, shelved_of
from lora_hub.people import Person

logger = logging.getLogger("lora_hub.serve")

# So often the organization is looked at, and an unknown name makes it be looked at again at most so often.
REFRESH_SECONDS, LOOK_SECONDS = 60.0, 5.0
# What nobody asked for so long is not renewed any more: its next question fetches it.
WARM_SECONDS = 3600.0
# Bytes of the disk that adapters of one server may take.
MOST_DISK = 16 << 30
_COMMIT = re.compile(r"[0-9a-f]{40}")


class OwnShelf:
    """What one process serves: a base, and the organization's adapters of it, or those that are named. base_name: as
    `bases.get_base` reads it. adapters: repos, runs or folders of this machine; empty: the organization's. most_disk:
    bytes that those may take which were fetched from the Hub. Thread-safe.

    What was asked once is asked without the Hub from then on: `keep_fresh` looks there in the background, and puts what
    is new in its place when it is here.
    """

    is_given = True  # whoever started this chose the base and the adapters

    def __init__(
        self, base_name: str, *, org: str = "", adapters: Sequence[str] = (), most_disk: int = MOST_DISK
    ) -> None:
        self._base_name, self._base = base_name, bases.get_base(base_name)
        self.org = org or settings.organization()
        self._panes, self._lock = Panes(), threading.Lock()
        self._local: dict[str, Pane] = {}
        self._known: dict[str, Shelved] = {}
        self._candidates: tuple[AdapterRef, ...] = ()
        self._only: tuple[str, ...] = ()
        self._hidden: set[str] | None = None  # of those that are named, the ones that were off the shelf from the start
        self._looked = 0.0
        self._most_disk = most_disk
        self._has_ended, self._wake, self._has_fetched = False, threading.Event(), False
        self._add(adapters)

    def _add(self, adapters: Sequence[str]) -> None:
        repos = []
        for name in adapters:
            pane = find_here(name, self._base_name)
            if pane is None:
                repos.append(hub.owned(name, self.org))
                continue
            short = expand(name).resolve().name if "/" in name or "." in name else name
            self._local[short] = pane
        self._only = tuple(repos)
        self._all = not adapters

    def base(self, person: Person) -> Pane:
        """The base alone."""
        return Pane(BASE, self._base, self._base.revision)

    def refresh(self) -> None:
        """Looks at what the organization has now, and renews what is asked. Raises HubError, AdapterError (at the first
        look, where what was named is not there)."""
        self.look()
        for (repo, asked), pane in self._panes.asked_within(WARM_SECONDS).items():
            self._renew(repo, asked, pane)
        routing.prepare(self._candidates, self._base)

    def look(self) -> None:
        """What the organization has now. Raises as `refresh`."""
        self._looked = time.monotonic()
        refs = hub.list_adapters(self.org, base=self._base.id) if self._all else self._named()
        known = {ref.repo_id: shelved_of(ref, self.org) for ref in refs}
        with self._lock:
            self._known, self._candidates = known, tuple(refs[: routing.MOST_CANDIDATES])

    def _named(self) -> list[AdapterRef]:
        found, is_first = [], self._hidden is None
        hidden = self._hidden or set()
        for repo in self._only:
            try:
                ref = hub.get_adapter(repo.partition("@")[0], repo.partition("@")[2])
            except AdapterError as error:
                if is_first:
                    raise
                logger.warning("%s is not served any more: %s", repo, error)
                continue
            if is_first and ref.unpublished:
                hidden.add(repo)
            if not ref.unpublished or repo in hidden:
                found.append(ref)
        self._hidden = hidden
        return found

    def _renew(self, repo: str, asked: str, pane: Pane) -> None:
        """Puts the newest of what was asked for in its place; where the Hub does not say, what is here goes on."""
        with self._lock:
            one = self._known.get(repo)
        if one is None:
            self._panes.drop((repo, asked))
            return
        if _COMMIT.fullmatch(asked) or (not asked and one.revision == pane.revision):
            return
        try:
            found = self._fetch(pane.name, f"{repo}@{asked or one.revision}")
        except NoModel as error:
            logger.warning("%s is not served any more: %s", f"{repo}@{asked}", error)
            self._panes.drop((repo, asked))
        except LoraHubError as error:
            logger.warning("%s could not be looked at: %s", f"{repo}@{asked}", error)
        else:
            if found.revision != pane.revision:
                self._panes.put((repo, asked), found)

    def keep_fresh(self, in_use: Callable[[], Collection[Path]] = tuple) -> None:
        """Does so now and then, in a thread of its own, and removes from the disk what is too much. in_use: folders
        that the engine may read again at any time."""

        def work() -> None:
            due = time.monotonic()
            while not self._has_ended:
                try:
                    if time.monotonic() >= due:
                        due = time.monotonic() + REFRESH_SECONDS
                        self.refresh()
                    self.trim(in_use())
                except LoraHubError as error:  # what was known goes on being served
                    logger.warning("the organization could not be looked at: %s", error)
                except Exception:  # a mistake of ours must not leave the shelf as it is for good
                    logger.exception("the organization could not be looked at")
                self._wake.wait(max(0.0, due - time.monotonic()))
                self._wake.clear()

        threading.Thread(target=work, name="shelf", daemon=True).start()

    def trim(self, in_use: Collection[Path] = ()) -> None:
        """Removes those that were asked least recently from the disk, where new ones have come and all of them take
        more than they may."""
        if self._has_fetched:
            self._has_fetched = False
            last_use = self._panes.last_use() | dict.fromkeys(in_use, 0.0)
            count = hub.trim_adapters(self._most_disk, self._is_ours, last_use)
            if count:
                logger.info("%d adapters that were asked least recently left the disk", count)

    def _is_ours(self, repo: str) -> bool:
        return repo.startswith(f"{self.org}/") if self._all else repo in {one.partition("@")[0] for one in self._only}

    def close(self) -> None:
        self._has_ended = True
        self._wake.set()

    def names(self, person: Person) -> list[Shelved]:
        """All models but `base` and `auto`."""
        here = [Shelved(name, task=pane.task.id if pane.task else "") for name, pane in self._local.items()]
        with self._lock:
            return [*here, *sorted(self._known.values(), key=lambda one: one.name)]

    def candidates(self, person: Person, base: BaseModel) -> tuple[AdapterRef, ...]:
        """Those that `auto` stands for."""
        with self._lock:
            return self._candidates

    def pane(self, person: Person, name: str) -> Pane:
        """The adapter of a name. Raises NoModel, HubError."""
        if name in self._local:
            return self._local[name]
        check_name(name)
        repo, _at, revision = hub.owned(name, self.org).partition("@")
        one = self._look_up(repo)
        if one is None:
            raise no_model(name)
        return self._panes.get((repo, revision), lambda: self._fetch(name, f"{repo}@{revision or one.revision}"))

    def using(self, pane: Pane) -> AbstractContextManager[None]:
        """Within the block the pane's files stay."""
        return self._panes.using(pane)

    def _look_up(self, repo: str) -> Shelved | None:
        with self._lock:
            found = self._known.get(repo)
            is_old = time.monotonic() - self._looked > LOOK_SECONDS
        if found is None and self._all and is_old and repo.startswith(f"{self.org}/"):  # published a moment ago
            self.look()
            with self._lock:
                found = self._known.get(repo)
        return found

    def _fetch(self, name: str, repo: str) -> Pane:
        pane = fetched(name, repo.rstrip("@"), self._base_name)
        self._has_fetched = True
        self._wake.set()
        if base_key(pane.base) != base_key(self._base):
            raise no_model(name, _("{name} is no adapter of {base}.", name=name, base=self._base.id))
        return pane
