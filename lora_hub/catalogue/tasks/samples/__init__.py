"""The project's own samples: the files, and the hand-written parts that `make_samples` composes them from."""
