"""Parts of the page on which people read images."""
