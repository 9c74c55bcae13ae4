"""A published adapter's training that was done again, held against it; and its figures, computed again."""

from lora_hub.compare.reproducing.again import Reproduction, compare_again
from lora_hub.compare.reproducing.checking import Checked, check_adapter

__all__ = ["Checked", "Reproduction", "check_adapter", "compare_again"]
