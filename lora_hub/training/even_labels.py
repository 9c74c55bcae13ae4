"""Rare labels are trained on as often as common ones.

even_labels(spec, encoded)                     the rows of a pass: those of rare labels several times
even_validation(spec, encoded, validation)     the rows that choose the checkpoint, in the same proportions
note(spec, encoded)                            what to say of it; None where all rows come alike

With 13 % spam a training mostly learns that nothing is. On the built-in base, three times the same steps on SMS spam
without and with it, other rows scored: balanced accuracy 90.6 to 90.7 (50 steps on 600 rows), 89.9 to 91.9 (160 steps)
and 88.3 to 92.7 (140 steps on 4,107 rows), accuracy about one point lower each time.

The checkpoint is chosen in the same proportions. By the loss over the validation rows as they are, one was chosen that
knows less of the rare label: on SMS spam 94.2, 93.9 and 93.0 instead of 95.7, 95.4 and 93.2 (balanced accuracy of 700
to 1,000 rows that were not trained on; 3,750 rows, three splits); SST-2 with one label at 12 %: 56.3 instead of 56.5.
Not where labels have a validation row or two each: 20 intents, 900 rows, the commonest twelve times as common as the
rarest: 62.6 so, and 67.7 by the plain loss.

Which rows of a rare label come once more is no chance: all equally often, the first of them once more where that does
not come out even.
"""

from collections import Counter, defaultdict

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training.patience import LEAST_CHOOSING

# "auto" evens labels out where the rarest has less than this part of what it would have if all had the same.
UNEVEN = 0.5
# A row comes at most so often for one of the commonest label: of a label with three rows more would be learnt by heart.
MOST_COPIES = 10
# Validation rows that are looked at, for each one there is.
MOST_LOOKED = 2


def even_labels(spec: TrainSpec, train: Encoded) -> Encoded:
    """The rows with those of rare labels repeated, as `spec.even_labels` says; the same rows where nothing is to be
    repeated. The number of steps is that of the different rows: none is added, common labels come less often."""
    return _repeated(train, MOST_COPIES * len(train.rows)) if _evens(spec, train) else train


def even_validation(spec: TrainSpec, train: Encoded, validation: Encoded) -> Encoded:
    """The validation rows as the training rows come: a loss over them as they are says little of a rare label. At most
    twice as many rows are looked at. As they are where a label has fewer than `LEAST_CHOOSING`, too few to choose
    by."""
    counts = Counter(example.answer for example in validation.examples)
    if not counts or min(counts.values()) < LEAST_CHOOSING or not _evens(spec, train):
        return validation
    return _repeated(validation, MOST_LOOKED * len(validation.rows))


def _evens(spec: TrainSpec, train: Encoded) -> bool:
    if spec.even_labels == "off" or spec.task.output != "labels" or not train.examples:
        return False
    counts = Counter(example.answer for example in train.examples)
    return spec.even_labels == "on" or min(counts.values()) < UNEVEN * len(train.examples) / len(counts)


def _repeated(rows: Encoded, most_rows: int) -> Encoded:
    """Each label's rows as often as the commonest label has, or as nearly so as the most of copies and rows allow."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(rows.examples):
        places[example.answer].append(place)

    def often(own: list[int], wanted: int) -> int:
        return max(len(own), min(wanted, MOST_COPIES * len(own)))

    wanted = max(map(len, places.values()), default=0)
    while sum(often(own, wanted) for own in places.values()) > max(most_rows, len(rows.rows)):
        wanted -= 1
    repeated = [own[turn % len(own)] for own in places.values() for turn in range(often(own, wanted))]
    return Encoded([rows.rows[place] for place in repeated], [rows.examples[place] for place in repeated])


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
