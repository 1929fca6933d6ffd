"""Training on several findings of one image: sigmoid head, settings, results."""
