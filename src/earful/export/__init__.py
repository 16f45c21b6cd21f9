"""Export of a model to other programs, with a proof that the results are the same there."""
