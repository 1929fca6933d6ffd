"""Figures, HTML and PDF reports, and the model card."""
