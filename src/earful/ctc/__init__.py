"""Connectionist temporal classification: loss, output layer, decoding, alignment."""
