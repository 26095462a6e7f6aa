"""Losses on intermediate feature maps `(batch, height, width, channels)`."""
