"""Test sets: rows that many models answer, each of which is asked once."""

from lora_hub.compare.test_sets.answering import answer_kept, answer_panes, fingerprint_adapter

__all__ = [
    "answer_kept",
    "answer_panes",
    "fingerprint_adapter",
]
