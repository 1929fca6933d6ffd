"""What this is, and the three steps."""

from __future__ import annotations

from pages._shared.widgets import page_header

page_header("MedModel", "Train an image classifier and watch it learn.")
