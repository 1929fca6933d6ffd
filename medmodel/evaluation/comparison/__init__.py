"""Comparison of models on the same images: paired tests, Holm's correction."""
