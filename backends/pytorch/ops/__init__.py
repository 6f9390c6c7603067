"""Lowerings, one file for each of `compiler/catalogue/ops`."""
