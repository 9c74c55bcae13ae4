"""One question, answered by a base and its adapters side by side."""

from lora_hub.compare.comparer import Comparer
from lora_hub.compare.panes import Pane, find_here
from lora_hub.compare.zero_gpu import borrow

__all__ = [
    "Comparer",
    "Pane",
    "borrow",
    "find_here",
    "promoting",
    "test_sets",
]
