"""A model taken to where it must run; and the proof that it says the same there."""
