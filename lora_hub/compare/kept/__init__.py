"""Comparisons that are kept: a question with its answers, as a file of its owner."""

from lora_hub.compare.kept.kept_files import (
    find_comparison,
    keep_comparison,
    list_kept,
    new_comparison,
    remove_comparison,
    write_comparison,
)
from lora_hub.compare.kept.kept_text import comparison_json, comparison_markdown

__all__ = [
    "comparison_json",
    "comparison_markdown",
    "find_comparison",
    "keep_comparison",
    "list_kept",
    "new_comparison",
    "remove_comparison",
    "write_comparison",
]
