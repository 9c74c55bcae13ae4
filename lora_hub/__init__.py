"""LoRA Hub: a dataset dropped into the browser becomes a measured, published, comparable LoRA adapter."""

__version__ = "0.1.0"
