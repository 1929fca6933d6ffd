"""How a finished model stands up to corrupted images."""
