"""Scripts that measure what published methods are worth here; each prints its table."""
