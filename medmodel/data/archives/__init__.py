"""Archives from anybody's computer, read within limits of memory and size."""
