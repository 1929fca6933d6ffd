"""Decoding the images of a data set into one array, which survives a kill."""
