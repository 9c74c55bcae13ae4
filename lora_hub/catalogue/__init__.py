"""What there is to choose from: tasks, bases, rented hardware; each a YAML file and what reads it."""

__all__ = [
    "bases",
    "cached",
    "hardware",
    "tasks",
]
