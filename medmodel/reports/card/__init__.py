"""What the model cards of all kinds of models have in common."""
