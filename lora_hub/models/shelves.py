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
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.compare import Pane, base_key, find_here, pane_of_repo
from lora_hub.compare.routing import most_used_base
from lora_hub.core import settings
from lora_hub.core.errors import AdapterError, HubUnreachableError, LoraHubError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BASE, AdapterRef, BaseModel
from lora_hub.people import Person

logger = logging.getLogger("lora_hub.serve")

# Panes that are kept: a few kilobytes each.
MOST_PANES = 512
# So often the organization is looked at, and an unknown name makes it be looked at again at most so often.
REFRESH_SECONDS, LOOK_SECONDS = 60.0, 5.0
# In an app that several people share, so long may somebody still ask what the Hub let them read.
SEEN_SECONDS = 30.0
LONGEST_NAME = 200
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w.-]+(/[\w.-]+)*)?", re.ASCII)
# Tags that never move: versions; and commits.
_FIXED = re.compile(r"v\d+|[0-9a-f]{40}")


class NoModel(AdapterError):
    """There is no model of this name, or it cannot be had."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model that is listed. name: by which it is asked. repo: its repository; empty for what lies on this machine.
    revision: its newest commit. created: UTC seconds. task: its task's id."""

    name: str
    repo: str = ""
    revision: str = ""
    created: int = 0
    task: str = ""


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise no_model(name)


def no_model(name: str, why: Message | None = None) -> NoModel:
    return NoModel(
        why or _("There is no model {name!r} here."), _("GET /v1/models lists what there is."), name=name[:LONGEST_NAME]
    )


class Panes:
    """The panes that were asked last. Thread-safe: what several ask for the first time is fetched once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: OrderedDict[tuple[str, str], tuple[Pane, float]] = OrderedDict()
        self._fetching: dict[tuple[str, str], threading.Lock] = {}

    def get(self, key: tuple[str, str], seconds: float, fetch: Callable[[], Pane]) -> Pane:
        """The pane of a key, fetched where it is not known or is older than so many seconds."""
        found = self._fresh(key, seconds)
        if found is not None:
            return found
        with self._lock:
            fetching = self._fetching.setdefault(key, threading.Lock())
        try:
            with fetching:
                found = self._fresh(key, seconds)
                if found is None:
                    found = fetch()
                    with self._lock:
                        self._known[key] = (found, self._clock())
                        while len(self._known) > MOST_PANES:
                            self._known.popitem(last=False)
                return found
        finally:
            with self._lock:
                self._fetching.pop(key, None)

    def _fresh(self, key: tuple[str, str], seconds: float) -> Pane | None:
        with self._lock:
            pane, when = self._known.get(key, (None, 0.0))
            if pane is None or self._clock() - when > seconds:
                return None
            if pane.folder is not None and not pane.folder.is_dir():  # removed from the cache meanwhile
                return None
            self._known.move_to_end(key)
            return pane


class OwnShelf:
    """What one process serves: a base, and the organization's adapters of it, or those that are named. base_name: as
    `bases.get_base` reads it. adapters: repos, runs or folders of this machine; empty: the organization's. Thread-safe.
    """

    is_given = True  # whoever started this chose the base and the adapters

    def __init__(self, base_name: str, *, org: str = "", adapters: Sequence[str] = ()) -> None:
        self._base_name, self._base = base_name, bases.get_base(base_name)
        self.org = org or settings.organization()
        self._panes, self._lock = Panes(), threading.Lock()
        self._local: dict[str, Pane] = {}
        self._known: dict[str, Shelved] = {}
        self._only: tuple[str, ...] = ()
        self._looked = 0.0
        self._stop = threading.Event()
        self._add(adapters)

    def _add(self, adapters: Sequence[str]) -> None:
        repos = []
        for name in adapters:
            pane = find_here(name, self._base_name)
            if pane is None:
                repos.append(name if "/" in name.partition("@")[0] else f"{self.org}/{name}")
                continue
            short = Path(name).expanduser().resolve().name if "/" in name or "." in name else name
            self._local[short] = pane
        self._only = tuple(repos)
        self._all = not adapters

    def base(self, person: Person) -> Pane:
        """The base alone."""
        return Pane(BASE, self._base, self._base.revision)

    def refresh(self) -> None:
        """Looks at what the organization has now. Raises HubError, AdapterError."""
        self._looked = time.monotonic()
        if self._all:
            refs = hub.list_adapters(self.org, base=self._base.id)
        else:
            refs = [hub.get_adapter(repo.partition("@")[0], repo.partition("@")[2]) for repo in self._only]
        known = {ref.repo_id: _shelved(ref, self.org) for ref in refs}
        with self._lock:
            self._known = known

    def keep_fresh(self) -> None:
        """Does so now and then, in a thread of its own."""

        def work() -> None:
            while not self._stop.wait(REFRESH_SECONDS):
                try:
                    self.refresh()
                except LoraHubError as error:  # what was known goes on being served
                    logger.warning("the organization could not be looked at: %s", error)

        threading.Thread(target=work, name="shelf", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def names(self, person: Person) -> list[Shelved]:
        """All models but `base` and `auto`."""
        here = [Shelved(name, task=pane.task.id if pane.task else "") for name, pane in self._local.items()]
        with self._lock:
            return [*here, *sorted(self._known.values(), key=lambda one: one.name)]

    def chosen(self, adapters: Sequence[str]) -> str:
        """The first of these repos that is served; empty where none is."""
        with self._lock:
            return next((repo for repo in adapters if repo in self._known), "")

    def pane(self, person: Person, name: str) -> Pane:
        """The adapter of a name. Raises NoModel, HubError."""
        if name in self._local:
            return self._local[name]
        _check_name(name)
        short, _at, revision = name.partition("@")
        repo = short if "/" in short else f"{self.org}/{short}"
        one = self._look_up(repo)
        if one is None:
            raise no_model(name)
        wanted = revision or one.revision
        is_fixed = bool(_FIXED.fullmatch(wanted))
        seconds = float("inf") if is_fixed else REFRESH_SECONDS
        return self._panes.get((repo, wanted), seconds, lambda: self._fetch(name, f"{repo}@{wanted}".rstrip("@")))

    def _look_up(self, repo: str) -> Shelved | None:
        with self._lock:
            found = self._known.get(repo)
            is_old = time.monotonic() - self._looked > LOOK_SECONDS
        if found is None and self._all and is_old and repo.startswith(f"{self.org}/"):  # published a moment ago
            self.refresh()
            with self._lock:
                found = self._known.get(repo)
        return found

    def _fetch(self, name: str, repo: str) -> Pane:
        pane = fetched(name, repo, self._base_name)
        if base_key(pane.base) != base_key(self._base):
            raise no_model(name, _("{name} is no adapter of {base}.", name=name, base=self._base.id))
        return pane


class OpenShelf:
    """What an app serves: every adapter that the person who asks may read, of any base. Their rights are asked of the
    Hub again after `SEEN_SECONDS`. Thread-safe."""

    is_given = False

    def __init__(self) -> None:
        self._panes = Panes()
        self._base: tuple[BaseModel, float] | None = None

    @property
    def org(self) -> str:
        return settings.organization()

    def base(self, person: Person) -> Pane:
        """The base that most of the organization's adapters are of. Raises HubError."""
        found = self._base
        if found is None or time.monotonic() - found[1] > REFRESH_SECONDS:
            found = self._base = bases.get_base(most_used_base(), folders=False), time.monotonic()
        return Pane(BASE, found[0], found[0].revision)

    def names(self, person: Person) -> list[Shelved]:
        """All models but `base` and `auto`, as this person sees them. Raises HubError."""
        org = settings.organization()
        return sorted((_shelved(ref, org) for ref in hub.list_adapters(org)), key=lambda one: one.name)

    def chosen(self, adapters: Sequence[str]) -> str:
        """The first of these repos."""
        return next(iter(adapters), "")

    def pane(self, person: Person, name: str) -> Pane:
        """The adapter of a name. Raises NoModel, HubError."""
        _check_name(name)
        repo = name if "/" in name.partition("@")[0] else f"{settings.organization()}/{name}"
        return self._panes.get((person.id, repo), SEEN_SECONDS, lambda: fetched(name, repo))


def fetched(name: str, repo: str, base: str = "") -> Pane:
    """The pane of a repo, brought here. Raises NoModel, HubError."""
    try:
        return pane_of_repo(repo, base)
    except HubUnreachableError:
        raise
    except AdapterError as error:
        raise NoModel(error.said, error.advice) from error


def _shelved(ref: AdapterRef, org: str) -> Shelved:
    owner, _slash, short = ref.repo_id.partition("/")
    try:
        created = int(datetime.fromisoformat(ref.updated.replace("Z", "+00:00")).timestamp()) if ref.updated else 0
    except ValueError:
        created = 0
    return Shelved(short if owner == org else ref.repo_id, ref.repo_id, ref.revision, created, ref.task)
