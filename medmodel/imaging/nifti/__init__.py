"""NIfTI: the header, its pair of files, and slices of a volume."""
