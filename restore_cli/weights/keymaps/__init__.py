"""Names of the published checkpoints, and ours for the same tensors."""

from __future__ import annotations
