"""Parts of Diagnose: uploaded images and what models make of them."""
