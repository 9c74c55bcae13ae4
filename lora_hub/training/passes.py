"""The rows that one pass of a training goes through: those of its data, rare labels evened out, and the base's own
answers beside them.

    rows_of_pass(spec, train)      an Encoded whose rows are trained on, in no order
    count_rows(train)              how many different ones: what the number of steps follows from
"""

from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training.even_labels import even_labels


def rows_of_pass(spec: TrainSpec, train: Encoded) -> Encoded:
    """All rows of a pass. Those of the base's own answers have no example."""
    evened = even_labels(spec, train)
    return Encoded([*evened.rows, *train.replayed], evened.examples) if train.replayed else evened


def count_rows(train: Encoded) -> int:
    """How many rows a pass has before labels are evened out."""
    return len(train.rows) + len(train.replayed)
