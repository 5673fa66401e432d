"""Files to pixels and back: RGB or grey float32 in [0, 1], whatever the file holds."""
