"""Parts of pages about several findings on one image."""
