"""Training a base: one file an objective, and the loop."""
