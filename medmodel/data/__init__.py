"""Data sets: folders, imports, index, splits, prepared pixels, the drawn sample."""
