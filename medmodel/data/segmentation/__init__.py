"""Images with segmentation masks: which belong together, and their class values."""
