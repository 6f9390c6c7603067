"""Modules of torch.nn, and models written by hand with them, that shipped specs equal."""

from __future__ import annotations

from .reference import Reference

REFERENCES: list[Reference] = []
