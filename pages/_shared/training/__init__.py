"""Parts of Train and Sweep: the data set, the settings, what varies."""
