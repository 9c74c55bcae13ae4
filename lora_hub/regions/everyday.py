"""What people ask and write of all kinds (`everyday.yaml`): a question that is more like these texts than like a
task's is the base's, whether or not another adapter is there to compete for it.

sentences, passages = everyday_texts()
"""

import functools
from pathlib import Path

FILE = Path(__file__).with_name("everyday.yaml")


@functools.cache
def everyday_texts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """About four hundred sentences and questions, and sixty passages of some sentences; Persian is a quarter."""
    import yaml

    known = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    sentences, passages = (
        tuple(text for of in known[kind].values() for text in of) for kind in ("sentences", "passages")
    )
    return sentences, passages
