"""A model folder as an ONNX graph, and the session that runs it: nothing here imports torch."""
