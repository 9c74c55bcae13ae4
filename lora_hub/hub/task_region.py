"""`router.safetensors`, beside an adapter's weights: where the questions of its task lie among a base's hidden states.

    write_region(folder, region); region = read_region(folder)         None where an adapter brings none

It holds means, a covariance and a direction, never a row and no text. Strangers write such files, too: one is bounded
before it is read, and its numbers are checked.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core.errors import AdapterError, reason_of
from lora_hub.core.messages import _

REGION_FILE, REGION_VERSION = "router.safetensors", 1
MOST_REGION_BYTES = 8 << 20
MOST_CENTERS, MOST_DIMENSIONS = 64, 1024
# Of any value; limits are divided by, so none is nearly 0.
LARGEST, SMALLEST = 1e6, 1e-9


class NoRegion(AdapterError):
    """The file is there, and nobody can use it."""


@dataclass(frozen=True)
class TaskRegion:
    """centers: [centers, dimensions], each the mean of several training questions. spread: [dimensions, dimensions],
    the covariance of all of them. origin: [dimensions], where texts of all kinds lie. shortest, longest: tokens of
    nearly all questions. limit: the distance within which nearly all of the task's questions lie that have no part in
    the region. rows: training questions behind it. base: the fingerprint of the base's weights, else its id. direction
    [dimensions], offset: a state's product with the first, and the second added, is how much more it is like what
    people write of all kinds than nearly all of those questions are, in standard deviations of theirs; zeros in a file
    that does not know."""

    centers: Any
    spread: Any
    origin: Any
    shortest: float
    longest: float
    limit: float
    rows: int
    base: str
    direction: Any
    offset: float


def write_region(folder: Path, region: TaskRegion) -> Path:
    """Writes the file into an adapter's folder."""
    import numpy
    from safetensors.numpy import save_file

    path = Path(folder) / REGION_FILE
    tensors = {
        name: getattr(region, name).astype(numpy.float32) for name in ("centers", "spread", "origin", "direction")
    }
    told = {name: getattr(region, name) for name in ("shortest", "longest", "limit", "rows", "base", "offset")}
    save_file(tensors, path, {"lora_hub": json.dumps({"version": REGION_VERSION, **told})})
    return path


def too_large_region(repo_id: str, size: int) -> NoRegion:
    """size: bytes."""
    return NoRegion(
        _("The {file} of {repo} has {size:,} bytes, more than it can have."),
        _("Publish the adapter again from its run."),
        file=REGION_FILE,
        repo=repo_id,
        size=size,
    )


def read_region(folder: Path) -> TaskRegion | None:
    """The region in an adapter's folder; None where it brings none. Raises NoRegion where it is damaged."""
    import numpy
    from safetensors import SafetensorError, safe_open

    path = Path(folder) / REGION_FILE
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_REGION_BYTES:
            raise ValueError(_("it has {size:,} bytes, more than it can have", size=path.stat().st_size))
        with safe_open(path, framework="numpy") as file:
            told = json.loads((file.metadata() or {}).get("lora_hub", ""))
            centers, spread, origin = (_numbers(file, name) for name in ("centers", "spread", "origin"))
            known = "direction" in file.keys()  # noqa: SIM118
            direction = _numbers(file, "direction") if known else numpy.zeros(len(origin))
        if not isinstance(told, dict) or told.get("version") != REGION_VERSION:
            raise ValueError(_("it is of another version"))
        count, width = centers.shape if centers.ndim == 2 else (0, 0)
        if not (1 <= count <= MOST_CENTERS and 1 <= width <= MOST_DIMENSIONS):
            raise ValueError(_("its shapes are not those of a region"))
        if spread.shape != (width, width) or {origin.shape, direction.shape} != {(width,)}:
            raise ValueError(_("its shapes are not those of a region"))
        if not numpy.allclose(spread, spread.T, atol=1e-3) or (numpy.diag(spread) < 0).any():
            raise ValueError(_("its spread is no covariance"))
        shortest, longest, limit = (float(told[key]) for key in ("shortest", "longest", "limit"))
        offset = float(told["offset"]) if known else 0.0
        rows, base = int(told["rows"]), str(told["base"])[:200]
        if not (SMALLEST <= shortest <= longest <= LARGEST and SMALLEST <= limit <= LARGEST):
            raise ValueError(_("its limits are no limits"))
        if not (abs(offset) <= LARGEST and 0 < rows <= LARGEST):
            raise ValueError(_("its limits are no limits"))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, SafetensorError) as error:
        raise NoRegion(
            _("{path} cannot be read: {reason}.", path=path.name, reason=reason_of(error)),
            _("Publish the adapter again from its run."),
        ) from error
    return TaskRegion(centers, spread, origin, shortest, longest, limit, rows, base, direction, offset)


def _numbers(file: Any, name: str) -> Any:
    import numpy

    found = file.get_slice(name)
    shape = found.get_shape()
    if len(shape) > 2 or any(size > MOST_DIMENSIONS for size in shape):
        raise ValueError(_("its shapes are not those of a region"))
    # numpy has not all types that such a file may name
    values = file.get_tensor(name).astype(numpy.float64) if found.get_dtype() in ("F32", "F16") else None
    if values is None or not (numpy.abs(values) <= LARGEST).all():
        raise ValueError(_("it holds values that are not numbers"))
    return values
