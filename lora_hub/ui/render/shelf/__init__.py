"""Adapters, their cards and versions, as HTML."""
