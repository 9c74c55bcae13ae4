"""What a base makes of texts that are the same for all tasks, kept: a base of 135 million parameters takes a minute
for them.

    found = recall((base.fingerprint, "float32", texts), read)        read() is called where nothing is kept

    $LORA_HUB_HOME/cache/regions/<hash>.json
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from lora_hub.core import settings, store
from lora_hub.core.errors import LoraHubError


def recall(named: Sequence[str], read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Arrays by name, as `read` gave them, rounded to float32: the first time, too, so that it makes no difference.
    named: all that they depend on."""
    import numpy

    name = hashlib.sha256("\0".join(named).encode()).hexdigest()[:32]
    path = settings.home() / "cache" / "regions" / f"{name}.json"
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # nothing was kept yet, or it was cut off
        found = {key: value.astype(numpy.float32).tolist() for key, value in read().items()}
        with contextlib.suppress(OSError, LoraHubError):  # a full disk: they are read again, then
            store.write_json(path, found)
    return {key: numpy.array(value) for key, value in found.items()}
