"""Keras networks, input pipeline, devices, precision, features; needs TensorFlow."""
