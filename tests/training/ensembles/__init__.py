"""Tests of `medmodel.training.ensembles`."""
