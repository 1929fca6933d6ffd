"""Recipes, callbacks, checkpoints: from a queued run to a finished one; TensorFlow."""
