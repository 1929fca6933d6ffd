"""Parts of Train and Runs."""
