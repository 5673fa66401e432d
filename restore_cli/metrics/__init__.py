"""How near a restored image is to the clean one."""

from __future__ import annotations
