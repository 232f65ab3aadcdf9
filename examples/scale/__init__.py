"""What a study costs besides training, and which failures it survives."""
