"""What an answer is worth, and how sure that is: metrics, intervals, paired tests, the exam."""

__all__ = [
    "exam",
    "general",
    "examples",
    "intervals",
    "metrics",
    "minimum",
    "pairs",
]
