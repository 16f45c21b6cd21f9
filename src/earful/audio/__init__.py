"""Sound files and waveforms: numpy float32 [T], mono, 16 kHz."""
