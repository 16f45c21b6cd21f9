"""Meta-training of recognisers: episodes of clips, an output layer for each task, the recipe, and the run."""
