"""Makes the model of an ensemble from those of its members."""
