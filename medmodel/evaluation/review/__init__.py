"""Review: images, which labels to look at, and refits with the corrected ones."""
