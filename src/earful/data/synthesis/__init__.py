"""Synthetic speech: espeak-ng says sentences in random voices, and tells when each phone starts."""
