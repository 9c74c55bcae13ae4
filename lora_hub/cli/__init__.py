"""`python -m lora_hub`: the shell's side of everything the page does."""

from lora_hub.cli.shell import main

__all__ = [
    "main",
]
