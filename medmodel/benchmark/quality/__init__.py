"""Rows on how good the recipes are, on public images and drawn ones."""
