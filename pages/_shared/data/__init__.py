"""Parts of the Data sets page."""
