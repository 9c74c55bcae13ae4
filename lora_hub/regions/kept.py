"""What a base makes of texts that are the same for all tasks, kept: a base of 135 million parameters takes a minute
for them.

    found = recall((base.fingerprint, "float32", texts), {"origin": (384,)}, read)     where nothing is kept: read()

    $LORA_HUB_HOME/cache/regions/<hash>.json
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lora_hub.core import settings, store
from lora_hub.core.errors import LoraHubError

Shapes = Mapping[str, tuple[int, ...]]


def recall(named: Sequence[str], shapes: Shapes, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Arrays by name, as `read` gave them, rounded to float32: the first time, too, so that it makes no difference.
    named: all that they depend on. shapes: of each; what is kept in another one is read again."""
    import numpy

    name = hashlib.sha256("\0".join(named).encode()).hexdigest()[:32]
    path = settings.home() / "cache" / "regions" / f"{name}.json"
    try:
        return _arrays(json.loads(path.read_bytes()), shapes)
    except (OSError, ValueError, TypeError, RecursionError):  # nothing was kept yet, or it is damaged
        found = {key: value.astype(numpy.float32).tolist() for key, value in read().items()}
        with contextlib.suppress(OSError, LoraHubError):  # a full disk: they are read again, then
            store.write_json(path, found)
    return _arrays(found, shapes)


def _arrays(found: Any, shapes: Shapes) -> dict[str, Any]:
    """Raises ValueError or TypeError for other shapes than these, and for what are no numbers."""
    import numpy

    if not isinstance(found, dict) or found.keys() != shapes.keys():
        raise ValueError("other names")
    arrays = {key: numpy.array(value, dtype=numpy.float64) for key, value in found.items()}
    for key, value in arrays.items():
        if value.shape != shapes[key] or not numpy.isfinite(value).all():
            raise ValueError(f"{key} has the shape {value.shape}")
    return arrays
