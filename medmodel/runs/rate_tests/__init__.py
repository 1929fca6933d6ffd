"""Rate tests: learning rates tried by a short job of the queue, and what they say."""
