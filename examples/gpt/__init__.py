"""A byte-level GPT; AutoLR searches its peak inside the run."""
