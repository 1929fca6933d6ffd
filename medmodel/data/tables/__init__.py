"""Tables that describe a data set: their text, columns, and which files they mean."""
