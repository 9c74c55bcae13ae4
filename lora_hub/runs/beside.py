"""Several runs beside each other: in which settings they differ.

find_differing([run, other])       [("base", ["built-in", "Qwen/Qwen3-0.6B"]), ("lr", ["0.002", "0.004"])]
"""

from collections.abc import Sequence

from lora_hub.core.schema import DatasetInfo, Run
from lora_hub.core.spec_fields import FIELDS, shown, value_of

# As many lines as can be told apart in one plot.
LEAST_BESIDE, MOST_BESIDE = 2, 8
# What is no setting of the form, and is told first.
PARTS = ("task", "base", "from", "data", "test", "effort")


def find_differing(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """(a name of `PARTS` or a field's key, each run's value as it is shown), only where they are not all the same."""
    specs = [run.spec for run in runs]
    told = [
        ("task", [spec.task.id for spec in specs]),
        ("base", [spec.base.id for spec in specs]),
        ("from", [spec.parent.name if spec.parent else "" for spec in specs]),
        ("data", [_which(spec.dataset) for spec in specs]),
        ("test", [_which(spec.test_dataset) for spec in specs]),
        ("effort", [spec.effort for spec in specs]),
        *((field.key, [shown(value_of(spec, field.key)) for spec in specs]) for field in FIELDS),
    ]
    return [(name, values) for name, values in told if len(set(values)) > 1]


def _which(info: DatasetInfo | None) -> str:
    """A file by its name, its rows and, of two of one name, its bytes; with how many mends were made, and the weights
    of the files that it was put together from, where they differ."""
    if info is None:
        return ""
    mends = f" +{len(info.mends)}" if info.mends else ""
    weights = [f"{part.weight:g}" for part in info.parts]
    shares = f" {':'.join(weights)}" if len({*weights}) > 1 else ""
    return f"{info.name} ({info.rows:,}{mends}) {info.fingerprint[:6]}{shares}"
