"""What touches torch: snapshots, generators, rates, learners and the rivals of a run."""
