"""What the user sees: one file per page, one folder per section of the menu."""
