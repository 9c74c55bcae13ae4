"""Findings: what may be wrong with the rows."""
