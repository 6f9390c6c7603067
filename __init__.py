"""dlc: one `.dlspec` file from a checked model to trained weights and a verified ONNX graph."""
