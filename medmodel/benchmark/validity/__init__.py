"""Rows on whether the numbers hold: intervals, tests, refusals, coverage, maps."""
