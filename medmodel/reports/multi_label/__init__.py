"""Figures of several findings on one image."""
