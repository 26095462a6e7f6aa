"""Losses on how the examples of a batch relate to each other."""
