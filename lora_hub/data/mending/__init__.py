"""What can be done about a finding at a click."""

__all__ = [
    "check_mends",
    "mend_arguments",
    "mends",
]
