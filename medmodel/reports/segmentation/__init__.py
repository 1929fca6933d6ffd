"""Reports of models that outline instead of classifying: facts, HTML, PDF, card."""
