"""The same architecture with fewer channels and fewer blocks."""
