"""What a base makes of texts that are the same for all tasks, kept: a base of 135 million parameters takes a minute
for them.

    found = recall((base.fingerprint, "float32", texts), read)        read() is called where nothing is kept

    $LORA_HUB_HOME/cache/regions/<hash>.safetensors
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from lora_hub.core import settings


def recall(named: Sequence[str], read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Arrays by name, as `read` gave them, rounded to float32: the first time, too, so that it makes no difference.
    named: all that they depend on."""
    import numpy
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    name = hashlib.sha256("\0".join(named).encode()).hexdigest()[:32]
    path = settings.home() / "cache" / "regions" / f"{name}.safetensors"
    try:
        found = load_file(path)
    except (OSError, SafetensorError):  # nothing was kept yet, or it was cut off
        found = {key: value.astype(numpy.float32) for key, value in read().items()}
        with contextlib.suppress(OSError):  # a full disk: they are read again, then
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            save_file(found, draft)
            draft.replace(path)
    return {key: value.astype(numpy.float64) for key, value in found.items()}
