"""One question, answered by a base and its adapters side by side."""

from lora_hub.compare.comparer import Comparer
from lora_hub.compare.held_out_sets import held_out_set
from lora_hub.compare.loaded_bases import Loaded, LoadedBases
from lora_hub.compare.panes import Pane, base_key, find_here, pane_of_repo, with_examples_of
from lora_hub.compare.typed_examples import read_typed
from lora_hub.compare.zero_gpu import borrow

__all__ = [
    "held_out_set",
    "Comparer",
    "Loaded",
    "LoadedBases",
    "Pane",
    "base_key",
    "borrow",
    "composing",
    "find_here",
    "pane_of_repo",
    "kept",
    "matrix",
    "promoting",
    "reproducing",
    "read_typed",
    "routing",
    "test_sets",
    "votes",
    "with_examples_of",
]
