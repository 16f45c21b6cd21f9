"""Benchmarks on a user's own data: which base, and which way to adapt it, learns most from K clips."""
