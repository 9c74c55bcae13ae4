"""Rows to prompts, answers and tokens; the train/validation/test split."""

__all__ = [
    "chat_template",
    "prepare",
    "split",
    "template",
    "template_process",
]
