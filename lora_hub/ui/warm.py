"""The app's one Inspector, made when it is first needed: polars and the readers would delay the first page.

    looker = Looker()
    looker.inspect(path, task, ...)         as data.inspection.Inspector does, which remembers what it read
    warm_up(1.0)                            imports what a first file needs, in the background, so that the first drop finds it ready
"""

import logging
import threading
from typing import Any

from lora_hub.errors import LoraHubError

logger = logging.getLogger("lora_hub.ui")


class Looker:
    """An Inspector that is made with the first file. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inspector: Any = None

    def read(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.read`. Raises DataError as it does."""
        return self._made().read(*arguments, **named)

    def inspect(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.inspect`. Raises DataError as it does."""
        return self._made().inspect(*arguments, **named)

    def with_lengths(self, *arguments: Any, **named: Any) -> Any:
        """`Inspector.with_lengths`."""
        return self._made().with_lengths(*arguments, **named)

    def _made(self) -> Any:
        with self._lock:
            if self._inspector is None:
                from lora_hub.data import inspection

                self._inspector = inspection.Inspector()
            return self._inspector


def warm_up(wait: float = 0.0) -> threading.Thread:
    """Tries a small file `wait` seconds from now, in a thread of its own, which is returned."""
    thread = threading.Timer(wait, _try_a_sample)
    thread.daemon = True
    thread.start()
    return thread


def _try_a_sample() -> None:
    import lora_hub.runs  # noqa: F401  what a plan needs, by the way
    from lora_hub import bases
    from lora_hub.data import inspection
    from lora_hub.tasks import catalogue

    task = catalogue.get_task("spam")
    sample, base = catalogue.sample_file(task), bases.get_base(bases.BUILT_IN)
    try:
        # By an inspector of its own: nothing of a person's is pushed out of the page's.
        inspection.Inspector().inspect(sample, task, base=base)
    except LoraHubError as error:
        logger.warning("warming up: %s", error)  # a person's first file tells the same, to whom it concerns
