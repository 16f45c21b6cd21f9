"""Languages that nobody speaks: how they sound, how they are written, and a corpus of them."""
