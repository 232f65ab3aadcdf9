"""One script a project: its public API on small data."""
