"""Corrections of labels: a list beside a data set, whose files are never changed."""
