"""Tests of multi-label data sets."""
