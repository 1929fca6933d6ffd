"""Decision: how scores become the predicted class."""
