"""Weights from elsewhere, and ours in a foreign layout.

plan.py      which of ours comes from which foreign tensors, decided on names and shapes alone
mapping.py   the same with tensors: `ours_from`, and `foreign_from`, its inverse
"""
