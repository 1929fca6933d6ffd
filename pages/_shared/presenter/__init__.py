"""Parts of presenter mode."""
