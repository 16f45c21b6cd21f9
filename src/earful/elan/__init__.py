"""A recogniser inside ELAN: what is installed there, and how it answers when ELAN calls it."""
