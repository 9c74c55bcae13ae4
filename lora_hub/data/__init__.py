"""From any file to rows that can be trained on: read, columns, checks, mends, prompts."""

__all__ = [
    "checks",
    "columns",
    "inspector",
    "mending",
    "planned_rows",
    "prompts",
    "read",
]
