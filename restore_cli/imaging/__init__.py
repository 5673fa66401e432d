"""Turns files into pixels and back: RGB or grey float32 in [0, 1], whatever a file holds."""
