"""Which column is what: names, facts, the task that they tell, and the proposal."""

__all__ = [
    "columns",
]
