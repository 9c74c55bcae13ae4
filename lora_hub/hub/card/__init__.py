"""The model card: what a reader of an adapter's repo is told."""
