"""Methods of lightly."""
