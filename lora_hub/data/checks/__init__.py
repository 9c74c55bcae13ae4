"""Checks that find problems in the rows before training."""

__all__ = [
    "check_held_out",
    "check_label_names",
    "checks",
]
