"""From scores to people: risk at a clinic's prevalence, readers with and without."""
