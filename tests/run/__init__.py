"""The worker side of a run."""
