"""What papers claim, tried on small tasks."""
