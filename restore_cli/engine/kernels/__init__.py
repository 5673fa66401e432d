"""Compiled CPU kernels: optional, chosen at run time, with PyTorch as their fallback."""
