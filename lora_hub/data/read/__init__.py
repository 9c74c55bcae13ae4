"""Any file -> a table."""

__all__ = [
    "archive_members",
    "formats",
    "read",
]
