"""Progress of a run while it works: what it writes, who follows it, what is left."""
