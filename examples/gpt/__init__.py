"""A byte-level GPT, its peak found inside the run."""
