"""What produced each base: recipes, and the code that brings their corpora. Run from a checkout, not installed."""
