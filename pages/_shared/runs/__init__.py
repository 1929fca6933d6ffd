"""Parts of Runs: the queue, the table of runs, one run with its live curves."""
