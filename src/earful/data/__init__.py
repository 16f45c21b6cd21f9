"""Recordings and what was said in them: utterances, manifests, readers of other formats, checks, and batches."""
