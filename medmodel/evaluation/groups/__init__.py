"""Groups of test images by their attributes, compared with each other."""
