"""A Ray cluster on this machine: what several nodes gain, and what a lost one costs."""
