"""Mutation testing: what share of meaningful changes the non-browser tests notice."""
