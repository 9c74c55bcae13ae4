"""What people ask and write of all kinds (`everyday.yaml`): a question that is nearer to these texts than to a
task's is the base's, whether or not another adapter is there to compete for it.

for texts in everyday_texts(): ...         single sentences, then more and more of them one behind another
"""

import functools
import random
from pathlib import Path

FILE = Path(__file__).with_name("everyday.yaml")
# Texts of so many sentences, one behind another; each sentence comes once in each length, but for a rest.
LENGTHS = (1, 2, 4, 8)


@functools.cache
def everyday_texts() -> tuple[tuple[str, ...], ...]:
    """For each of `LENGTHS` its texts, each of one language; about four hundred in all, the same everywhere."""
    import yaml

    draw, known = random.Random(0), yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found = []
    for length in LENGTHS:
        orders = [draw.sample(sentences, len(sentences)) for sentences in known.values()]
        starts = [(order, at) for order in orders for at in range(0, len(order) - length + 1, length)]
        found.append(tuple(" ".join(order[at : at + length]) for order, at in starts))
    return tuple(found)
