"""What people ask and write of all kinds (`everyday.yaml`): a question that is more like these texts than like a
task's is the base's, whether or not another adapter is there to compete for it.

texts = everyday_texts()         single sentences, and several of them one behind another
"""

import functools
import random
from pathlib import Path

FILE = Path(__file__).with_name("everyday.yaml")
# Texts of so many sentences, one behind another; each sentence comes once in each length, but for a rest. More lengths
# told no more (tests/bench/bench_router.py).
LENGTHS = (1, 4)


@functools.cache
def everyday_texts() -> tuple[str, ...]:
    """About five hundred texts, each of one language; the same everywhere."""
    import yaml

    draw, known = random.Random(0), yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found: list[str] = []
    for length in LENGTHS:
        orders = [draw.sample(sentences, len(sentences)) for sentences in known.values()]
        starts = [(order, at) for order in orders for at in range(0, len(order) - length + 1, length)]
        found += [" ".join(order[at : at + length]) for order, at in starts]
    return tuple(found)
