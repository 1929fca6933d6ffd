"""Sweeps: many trainings over ranges of settings; each trial is an ordinary run.

Optuna proposes and prunes in a process of its own (`sweeps.driver`); pages and commands
read what it writes. Nothing here loads TensorFlow.
"""
