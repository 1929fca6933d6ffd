"""Named choices for the settings of a run, and what settings are called."""
