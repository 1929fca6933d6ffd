"""Multi-label data sets: several findings on one image, or none."""
