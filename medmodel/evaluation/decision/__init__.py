"""Decision: how scores become predicted classes, calls, and conformal sets."""
