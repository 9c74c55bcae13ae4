"""Runs, their results and losses, as HTML."""
