"""What others may import: taking a name away is a decision, made by editing the list."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

STORED = Path(__file__).parent / "public_names.txt"
PACKAGES = ("models", "restore_cli")


def public_names(package):
    module = importlib.import_module(package)
    return [f"{package}.{name}" for name in sorted(getattr(module, "__all__", ["__version__"]))]


def test_public_names(update_golden):
    names = "".join(f"{name}\n" for package in PACKAGES for name in public_names(package))
    if update_golden:
        STORED.write_text(names, encoding="utf-8")
    assert names == STORED.read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package):
    module = importlib.import_module(package)
    for name in public_names(package):
        assert hasattr(module, name.rpartition(".")[2])
