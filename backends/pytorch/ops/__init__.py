"""Lowerings, one file for each of `compiler/ops`."""
