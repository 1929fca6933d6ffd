"""Evaluation of several findings on one image, each against its absence."""
