"""The app's one Inspector, made when it is first needed: polars and the readers would delay the first page.

looker = Looker()
looker.inspect(path, task, ...)   as data.inspector.Inspector does, which remembers what it read
warm_up(1.0)                      imports what a first file needs, in the background, so that the first drop finds it
                                  ready
"""

import logging
import math
import threading
import time
from typing import Any

from lora_hub import use_cases
from lora_hub.catalogue import bases
from lora_hub.core import settings
from lora_hub.core.errors import BaseError, LoraHubError
from lora_hub.core.schema import BaseModel
from lora_hub.people import Person

logger = logging.getLogger("lora_hub.ui")
# A form is looked at after each change; the Hub is not asked anew each time, and a new repo is seen soon.
REMEMBERED_SECONDS = 60.0


class Looker:
    """An Inspector that is made with the first file. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inspector: Any = None
        self._bases: dict[tuple[str, ...], tuple[float, LoraHubError | None]] = {}

    def read(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.read`. Raises DataError as it does."""
        return self._made().read(*arguments, **named)

    def inspect(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.inspect`. Raises DataError as it does."""
        return self._made().inspect(*arguments, **named)

    def with_lengths(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.with_lengths`."""
        return self._made().with_lengths(*arguments, **named)

    def check_base(self, person: Person, base: BaseModel) -> LoraHubError | None:
        """Asks the Hub, as this person, for a base that is neither in the catalogue nor a folder. Raises BaseError
        where the Hub has none of that name; returns the reason where it could not be asked: the base may lie on this
        disk already. Remembered for a while."""
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

                # Whoever sits at this machine may take all of it.
                self._inspector = Inspector(read=BoundedReader()) if settings.signs_in() else Inspector()
            return self._inspector


def warm_up(wait: float = 0.0) -> threading.Thread:
    """Tries a small file `wait` seconds from now, in a thread of its own, which is returned."""
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
        # By an inspector of its own: nothing of a person's is pushed out of the page's.
        Inspector().inspect(sample, task, base=base)
    except LoraHubError as error:
        logger.warning("warming up: %s", error)  # a person's first file tells the same, to whom it concerns
