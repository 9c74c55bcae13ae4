"""The embedded Hub: a small Hub of our own that the unmodified `huggingface_hub` client talks to over HTTP."""

__all__ = [
    "folder",
    "server",
]
