"""What a real browser sees: how soon, how large, how readable."""
