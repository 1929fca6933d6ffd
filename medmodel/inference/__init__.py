"""Prediction, class activation maps, attribution, activations; needs TensorFlow."""
