"""The rows that one pass of a training goes through: those of its data, by the weights of its files, rare labels evened
out, and the base's own answers beside them.

    rows_of_pass(spec, train)      an Encoded whose rows are trained on, in no order
    count_rows(spec, train)        how many rows a pass has: what the number of steps follows from

Of a file with weight 2 each row comes twice, with 0.5 half of the rows come, always the same ones: which is drawn by
the spec's seed, so that a run that is resumed goes on with them.
"""

import random

from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training.even_labels import even_labels


def rows_of_pass(spec: TrainSpec, train: Encoded) -> Encoded:
    """All rows of a pass. Those of the base's own answers have no example."""
    evened = even_labels(spec, weighted(spec, train))
    return Encoded([*evened.rows, *train.replayed], evened.examples) if train.replayed else evened


def count_rows(spec: TrainSpec, train: Encoded) -> int:
    """How many rows a pass has before labels are evened out."""
    return len(weighted(spec, train).rows) + len(train.replayed)


def weighted(spec: TrainSpec, train: Encoded) -> Encoded:
    """The rows as often as their file's weight says; the same where there is one file, or all weigh 1."""
    parts = spec.dataset.parts
    if all(part.weight == 1 for part in parts):
        return train
    places: list[int] = []
    for number, part in enumerate(parts):
        own = [at for at, example in enumerate(train.examples) if spec.dataset.part_of(example.row) == number]
        whole, rest = int(part.weight), part.weight % 1
        some = random.Random(spec.seed + number).sample(own, round(len(own) * rest))
        places += own * whole + sorted(some)
    places = places or list(range(len(train.rows)))
    return Encoded([train.rows[at] for at in places], [train.examples[at] for at in places])
