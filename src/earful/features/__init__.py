"""From waveforms to frames: filterbanks, cepstra and masks, batched and differentiable."""
