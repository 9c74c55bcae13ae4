"""What every other room builds on: nouns, errors, settings, our folders on disk, events. Imports nothing from the other
rooms."""

__all__ = [
    "bounded_yaml",
    "crash",
    "disk",
    "errors",
    "events",
    "file_lock",
    "languages",
    "messages",
    "processes",
    "recent",
    "run_lock",
    "run_reader",
    "schema",
    "settings",
    "spec_fields",
    "store",
    "verdicts",
]
