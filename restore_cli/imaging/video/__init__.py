"""Reads and writes videos, and turns their frames into pixels and back."""
