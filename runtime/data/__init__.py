"""Records from sources, split, transformed and batched, as a `data` section says."""
