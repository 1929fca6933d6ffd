"""Attributes of images beyond their class: sex, age band, scanner, site, view."""
