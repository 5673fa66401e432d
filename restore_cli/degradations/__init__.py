"""Clean images → degraded ones: batched torch functions, seeded by a passed-in generator."""

from __future__ import annotations
