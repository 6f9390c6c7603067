"""Models of transformers that shipped specs equal."""

from __future__ import annotations

from .reference import Reference

REFERENCES: list[Reference] = []
