"""The project's own samples: the data files, and the hand-written parts that `make_samples` builds them from."""
