"""Written language: how a transcript is normalised, spelled as labels, and scored."""
