"""Answers: what several commands print, as text and as JSON."""
