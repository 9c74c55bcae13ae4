"""Decides which column is which: names, contents, the task they suggest, and the proposed mapping."""

__all__ = [
    "columns",
]
