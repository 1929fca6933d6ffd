"""Run folders: status, queue, index of all runs, and the tables that a run writes."""
