"""Parts of the page Review labels."""
