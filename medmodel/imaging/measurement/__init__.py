"""Lengths, areas, angles and values within shapes drawn on an image."""
