"""Groups of test images: compared by their attributes, or looked at as subgroups."""
