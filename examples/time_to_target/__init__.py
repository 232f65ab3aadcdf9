"""Time to target: what every method reaches, and what it costs, search included."""
