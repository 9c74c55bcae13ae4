"""Rare labels are trained on as often as common ones.

even_labels(spec, encoded)     the rows of a pass: those of rare labels several times
note(spec, encoded)            what to say of it; None where all rows come alike

With 13 % spam a training mostly learns that nothing is. On the built-in base, three times the same steps on SMS spam
without and with it, other rows scored: balanced accuracy 90.6 to 90.7 (50 steps on 600 rows), 89.9 to 91.9 (160 steps)
and 88.3 to 92.7 (140 steps on 4,107 rows), accuracy about one point lower each time.

Which rows of a rare label come once more is no chance: all equally often, the first of them once more where that does
not come out even.
"""

from collections import Counter, defaultdict

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded

# "auto" evens labels out where the rarest has less than this part of what it would have if all had the same.
UNEVEN = 0.5
# A row comes at most so often for one of the commonest label: of a label with three rows more would be learnt by heart.
MOST_COPIES = 10


def even_labels(spec: TrainSpec, train: Encoded) -> Encoded:
    """The rows with those of rare labels repeated, as `spec.even_labels` says; the same rows where nothing is to be
    repeated. The number of steps is that of the different rows: none is added, common labels come less often."""
    if spec.even_labels == "off" or spec.task.output != "labels" or not train.examples:
        return train
    counts = Counter(example.answer for example in train.examples)
    if spec.even_labels == "auto" and min(counts.values()) >= UNEVEN * len(train.examples) / len(counts):
        return train
    places: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(train.examples):
        places[example.answer].append(place)
    most = max(counts.values())
    repeated = [own[turn % len(own)] for own in places.values() for turn in range(min(most, MOST_COPIES * len(own)))]
    return Encoded([train.rows[place] for place in repeated], [train.examples[place] for place in repeated])


def note(spec: TrainSpec, train: Encoded) -> Message | None:
    """Which labels' rows come more often, and how much; None where none do."""
    before, after = (Counter(example.answer for example in of.examples) for of in (train, even_labels(spec, train)))
    if before == after:
        return None
    label = max(before, key=lambda one: after[one] / before[one])
    return _(
        "Rows of rare labels are trained on more often: those of {label} {times} times for once of {common}.",
        label=label[:40],
        times=f"{after[label] / before[label]:.1f}",
        common=max(before, key=before.__getitem__)[:40],
    )
