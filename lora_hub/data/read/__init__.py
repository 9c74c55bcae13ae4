"""Reads any file into a table."""

__all__ = [
    "archive_members",
    "bounded",
    "formats",
    "read",
]
