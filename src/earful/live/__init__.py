"""Live transcription: words while they are spoken."""
