"""Rows -> prompts, answers and tokens; the split."""
