"""From a spec to an adapter: the recipe derives it, `alone` trains one, `together` several on one base."""

__all__ = [
    "candidates",
    "even_labels",
    "few_steps",
    "going_on",
    "recipe",
    "sweep",
    "task_training",
    "together",
]
