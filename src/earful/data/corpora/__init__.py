"""Public recordings of people, brought into a manifest: one file a corpus."""
