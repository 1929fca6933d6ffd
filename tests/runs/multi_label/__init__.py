"""Tests of several findings on one image."""
