"""Readers of clips, one file a format; each answers with a Manifest."""
