"""Nouns rendered as HTML; knows no gradio."""
