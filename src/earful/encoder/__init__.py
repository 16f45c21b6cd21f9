"""Encoders: log-mel frames in, hidden frames out at a lower rate, one contract for all."""
