"""TIFF: its directories, the samples of one image, and the colours that they are."""
