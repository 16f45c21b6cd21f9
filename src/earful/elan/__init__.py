"""A recogniser inside ELAN: its installation, and its answers to ELAN's calls."""
