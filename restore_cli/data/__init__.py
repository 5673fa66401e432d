"""Training and validation samples from folders."""

from __future__ import annotations
