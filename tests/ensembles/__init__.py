"""Tests of `medmodel.ensembles`."""
