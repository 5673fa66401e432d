"""Networks and losses: torch only, no files, no command line."""

from __future__ import annotations

from models.base import RestorationModel
from models.registry import ARCHITECTURES, Architecture, create_model

__all__ = ["ARCHITECTURES", "Architecture", "RestorationModel", "create_model"]
