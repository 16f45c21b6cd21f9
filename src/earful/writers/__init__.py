"""Transcripts in the formats of other programs: text, subtitles, and what linguists open; one file a format."""
