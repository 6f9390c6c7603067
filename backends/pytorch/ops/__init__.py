"""Lowerings, one file for each of `compiler/catalogue/ops`.

activation arithmetic attention convolution embedding linear losses making normalization notation operators
parameter pooling recurrent reduction regularization selection structure
"""
