"""CSV tables of a run's folder; their paths are those of `Run`."""
