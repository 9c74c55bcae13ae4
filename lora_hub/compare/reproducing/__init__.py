"""A published adapter's training that was done again, held against it."""

from lora_hub.compare.reproducing.again import Reproduction, compare_again

__all__ = ["Reproduction", "compare_again"]
