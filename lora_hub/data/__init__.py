"""Turns any file into training rows: reading, columns, checks, fixes, prompts."""

__all__ = [
    "checks",
    "columns",
    "combining",
    "inspector",
    "mending",
    "planned_rows",
    "prompts",
    "read",
]
