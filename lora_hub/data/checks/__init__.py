"""Findings: what may be wrong with the rows."""

__all__ = [
    "check_held_out",
    "check_label_names",
    "checks",
]
