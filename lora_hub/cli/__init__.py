"""`python -m lora_hub`: everything the page does, in the shell."""

from lora_hub.cli.shell import main

__all__ = [
    "main",
]
