"""The trainer: one visible loop over Accelerate, driven by a recipe."""

from __future__ import annotations
