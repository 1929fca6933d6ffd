"""What is odd about a data set: leakage, duplicates, shortcuts, burned-in marks."""
