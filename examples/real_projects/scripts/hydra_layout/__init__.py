"""A project whose parts are named in configs, in the layout of public templates."""
