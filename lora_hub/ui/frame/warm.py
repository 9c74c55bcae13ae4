"""The app's one Inspector, created on first use: importing polars and the readers earlier would delay the first page.

looker = Looker()
looker.inspect(path, task, ...)   as data.inspector.Inspector does, which caches what it read
warm_up(1.0)                      imports in the background what a first file needs, so that the first drop is fast
"""

import logging
import math
import threading
import time
from typing import Any

from lora_hub import runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.core import settings
from lora_hub.core.errors import BaseError, LoraHubError
from lora_hub.core.schema import BaseModel
from lora_hub.people import Person

logger = logging.getLogger("lora_hub.ui")
# The form is checked after each change; caching avoids asking the Hub every time, yet a new repo is seen soon.
REMEMBERED_SECONDS = 60.0


class Looker:
    """An Inspector that is created with the first file. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inspector: Any = None
        self._combined: dict[tuple[str, ...], Any] = {}
        self._parents: dict[tuple[str, ...], tuple[float, Any]] = {}
        self._bases: dict[tuple[str, ...], tuple[float, LoraHubError | None]] = {}

    def read(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.read`. Raises DataError like it."""
        return self._made().read(*arguments, **named)

    def inspect(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.inspect`. Raises DataError like it."""
        return self._made().inspect(*arguments, **named)

    def with_lengths(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.with_lengths`."""
        return self._made().with_lengths(*arguments, **named)

    def find_parent(self, person: Person, name: str, task: Any) -> Any:
        """`use_cases.find_parent`, as this person; cached for a while. task: its id, or a task of the person's own."""
        key = (person.id, name, task if isinstance(task, str) else task.model_dump_json())
        with self._lock:
            asked_at, found = self._parents.get(key, (-math.inf, None))
        if time.monotonic() - asked_at > REMEMBERED_SECONDS:
            found = use_cases.find_parent(person, name, task=task)
            with self._lock:
                self._parents = {key: (time.monotonic(), found)}  # one form is looked at again and again
        return found

    def combine(self, person: Person, files: list[dict[str, Any]], task: Any) -> tuple[Any, tuple[Any, ...]]:
        """`use_cases.combine_datasets` of stored files, as `Asked.parts` has them; the last one is remembered, so that
        another weight costs nothing. Raises DataError like it."""
        from lora_hub.data.combining import OneFile  # polars

        ways = [{key: value for key, value in one.items() if key != "weight"} for one in files]
        key = (person.id, repr(ways), task.model_dump_json())
        with self._lock:
            known = self._combined.get(key)
        if known is None or not runs.still_needed(known[0]):
            kept = [
                OneFile(use_cases.open_dataset(person, one["dataset"]), 1.0, one.get("map", {}), one.get("reading", {}))
                for one in files
            ]
            known = use_cases.combine_datasets(person, self, kept, task)
            with self._lock:
                self._combined = {key: known}
        file, parts = known
        weighed = [part.model_copy(update={"weight": own["weight"]}) for part, own in zip(parts, files, strict=True)]
        return file, tuple(weighed)

    def check_base(self, person: Person, base: BaseModel) -> LoraHubError | None:
        """Asks the Hub, as this person, for a base that is neither in the catalogue nor a folder. Raises BaseError if
        the Hub has no such base. Returns the reason if the Hub could not be asked, because the base may already be on
        this disk. The result is cached for a while."""
        if base.parameters or bases.folder_of(base) is not None:
            return None
        key = (person.id, base.id, base.revision)
        with self._lock:
            asked_at, found = self._bases.get(key, (-math.inf, None))
        if time.monotonic() - asked_at > REMEMBERED_SECONDS:
            try:
                use_cases.look_for_base(person, base)
                found = None
            except LoraHubError as error:
                found = error
            with self._lock:
                self._bases[key] = (time.monotonic(), found)
        if isinstance(found, BaseError):
            raise found
        return found

    def _made(self) -> Any:
        with self._lock:
            if self._inspector is None:
                from lora_hub.data.inspector import Inspector
                from lora_hub.data.read.bounded import BoundedReader

                # Without sign-in nothing is bounded: the machine's own person may use all of its resources.
                self._inspector = Inspector(read=BoundedReader()) if settings.signs_in() else Inspector()
            return self._inspector


def warm_up(wait: float = 0.0) -> threading.Thread:
    """Inspects a small file after `wait` seconds, in a thread of its own, which is returned."""
    thread = threading.Timer(wait, _try_a_sample)
    thread.daemon = True
    thread.start()
    return thread


def _try_a_sample() -> None:
    import lora_hub.runs  # noqa: F401  what a plan needs, by the way
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.data.inspector import Inspector

    task = catalogue.get_task("spam")
    sample, base = catalogue.sample_file(task), bases.get_base(bases.BUILT_IN)
    try:
        # Uses its own inspector, so that nothing of a person's is evicted from the page's cache.
        Inspector().inspect(sample, task, base=base)
    except LoraHubError as error:
        logger.warning("warming up: %s", error)  # a person's first file will show them the same error
