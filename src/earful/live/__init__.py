"""Words while they are being said."""
