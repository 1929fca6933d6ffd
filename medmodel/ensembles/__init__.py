"""Ensembles: runs whose model averages the probabilities of other runs' models.

Nothing here loads TensorFlow: `medmodel.training.ensembles` makes the model.
"""
