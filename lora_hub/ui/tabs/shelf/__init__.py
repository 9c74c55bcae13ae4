"""The Adapters tab: the shelf, one adapter of it, promoting a version."""
