"""Rows -> prompts, answers and tokens; the split."""

__all__ = [
    "chat_template",
    "prepare",
    "split",
    "template",
    "template_process",
]
