"""Finished models in formats that other programs run, each checked before it is given.

Nothing here loads TensorFlow: `medmodel.inference.export_model` converts and checks in
a process of its own.
"""
