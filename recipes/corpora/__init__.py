"""Corpora for training and measuring: recordings of people, one file a corpus, and languages that nobody speaks."""
