"""Metrics and curves of a split's predictions, each with its 95 % interval."""
