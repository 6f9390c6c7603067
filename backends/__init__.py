"""From the typed IR to what runs; each backend has a file of lowerings for each of `compiler/catalogue/ops`.

pytorch/           to source that one would have written by hand
onnx/              to a graph for ONNX Runtime
safetensors_file   weights on disk, for both
"""
