"""One frozen base, a stack of adapters, and every answer they give: `questions` is the way in, in bulk; `visitors` for
many at once."""

__all__ = [
    "adapter_base",
    "adapter_tokenizer",
    "calibration",
    "exam_work",
    "generate",
    "line",
    "loading",
    "prefill",
    "products",
    "questions",
    "stack",
]
