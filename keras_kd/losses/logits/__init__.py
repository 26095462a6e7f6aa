"""Losses on the logits of teacher and student."""
