"""Parts of the page of batch prediction."""
