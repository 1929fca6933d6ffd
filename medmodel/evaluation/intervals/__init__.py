"""95 % intervals: of what, by which estimator, from how many images on."""
