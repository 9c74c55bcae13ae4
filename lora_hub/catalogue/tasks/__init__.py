"""The tasks there are: one YAML file each, and the words around a row."""

__all__ = [
    "catalogue",
    "frames",
]
