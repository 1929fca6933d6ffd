"""Tables of runs on several findings of one image."""
