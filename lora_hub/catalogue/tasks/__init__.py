"""The task catalogue: one YAML file for each task, and the prompt text around a row."""

__all__ = [
    "catalogue",
    "frames",
]
