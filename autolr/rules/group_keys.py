"""Keys of an optimizer's groups."""

STEPPED_BY = "autolr_rule"
"""Names the active rule of the groups of a `Switching`, which alone sets it."""
