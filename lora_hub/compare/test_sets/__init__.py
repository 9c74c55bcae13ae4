"""Test sets: rows that many models answer, each of which is asked once."""

from lora_hub.compare.test_sets.answering import answer_panes, fingerprint_adapter
from lora_hub.compare.test_sets.kept_answers import forget
from lora_hub.compare.test_sets.score_file import score_file

__all__ = [
    "answer_panes",
    "fingerprint_adapter",
    "forget",
    "score_file",
]
