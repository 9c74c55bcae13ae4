"""Side by side: one question put to a base and its adapters."""

from lora_hub.compare.comparer import Comparer
from lora_hub.compare.panes import Pane, resolve_adapter

__all__ = [
    "Comparer",
    "Pane",
    "resolve_adapter",
]
