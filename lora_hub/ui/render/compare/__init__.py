"""Answers side by side, votes and the history of comparisons, as HTML."""
