"""The shell's commands that operate the app rather than train with it: options -> result, which --json prints."""

import argparse


def open_page(options: argparse.Namespace) -> None:
    """Serves the page until the process is told to end."""
    from lora_hub.ui import serve_page

    serve_page()
