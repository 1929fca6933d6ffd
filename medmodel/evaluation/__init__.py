"""Metrics with intervals, calibration, thresholds, comparison, out-of-distribution."""
