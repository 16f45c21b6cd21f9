"""Measurements that a user runs on data of their own: which base, and which way to adapt it, learns most of K clips."""
