"""The catalogues to choose from: tasks, bases and rented hardware. Each has YAML files and a module that reads them."""

__all__ = [
    "bases",
    "cached",
    "hardware",
    "kept_bases",
    "machine_speed",
    "memory",
    "tasks",
    "weights_files",
]
