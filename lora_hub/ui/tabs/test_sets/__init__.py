"""The Test sets tab."""
