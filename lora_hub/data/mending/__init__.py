"""Mends: fixes for findings, applied with a click."""

__all__ = [
    "check_mends",
    "mend_arguments",
    "mends",
]
