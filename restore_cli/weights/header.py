"""The header of a weights file, read without torch.

A safetensors file is eight bytes of length (little-endian), that many bytes of JSON, then the
tensors one after the other. The JSON gives dtype, shape and place of every tensor, and texts under
``__metadata__``, where our files keep their card.

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard

CARD_KEY = "restore_card"
SUFFIX = ".safetensors"

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_IMPORT_HINT = "published checkpoints (.pth, .pkl) become ours with: restore weights import FILE"


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where one tensor lies, counted from the end of the header."""

    name: str
    dtype: str  # as the format writes it: "F32", "F16", "BF16", …
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before its first tensor."""

    metadata: dict[str, str]
    tensors: tuple[TensorEntry, ...]  # sorted by name
    size: int  # bytes before the first tensor


def read_card(path: Path) -> ModelCard:
    """Return the card of a weights file; reads the header only.

    Raises:
        WeightsError: unreadable, not a safetensors file, truncated, or without a card.
    """
    return card_of(read_header(path), path)


def card_of(header: Header, path: Path) -> ModelCard:
    """Return the card in ``header``; ``path`` is for the message.

    Raises:
        WeightsError: there is none, or it is not understood.
    """
    text = header.metadata.get(CARD_KEY)
    if text is None:
        raise WeightsError(
            "has no model card, so it is not one of ours", path=path, hint=_IMPORT_HINT
        )
    try:
        return ModelCard.from_json(text)
    except WeightsError as error:
        raise WeightsError(error.what, path=path) from error


def read_header(path: Path) -> Header:
    """Return the header of a safetensors file, checked against the size of the file.

    Raises:
        WeightsError: unreadable, not a safetensors file, or truncated.
    """
    try:
        with path.open("rb") as file:
            return parse_header(file, path.stat().st_size, path)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error


def content_sha256(data: bytes, header: Header) -> str:
    """Return the SHA-256 of the tensors in the whole file ``data``, whatever its metadata says.

    Over the tensors sorted by name, each as ``name NUL dtype NUL shape NUL bytes``, where dtype is
    the format's word, shape is decimal numbers joined by commas, and bytes are little-endian.
    """
    digest = hashlib.sha256()
    content = memoryview(data)[header.size :]
    for entry in header.tensors:
        shape = ",".join(map(str, entry.shape))
        digest.update(f"{entry.name}\0{entry.dtype}\0{shape}\0".encode())
        digest.update(content[entry.begin : entry.end])
    return digest.hexdigest()


def parse_header(file: BinaryIO, file_size: int, path: Path) -> Header:
    """Return the header at the start of ``file``, checked against its size.

    Args:
        file: at its beginning.
        file_size: in bytes.
        path: for messages.

    Raises:
        WeightsError: not a safetensors file, or truncated.
    """
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if file_size < _LENGTH_BYTES or length > _MAX_HEADER_BYTES:
        raise WeightsError("is not a safetensors file", path=path, hint=_IMPORT_HINT)
    try:
        if length > file_size - _LENGTH_BYTES:
            raise ValueError(f"a header of {length} bytes in a file of {file_size}")
        values = json.loads(file.read(length))
        metadata = values.pop("__metadata__", {})
        tensors = tuple(sorted(map(_entry, values.items()), key=lambda entry: entry.name))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError("is not a safetensors file", path=path, hint=_IMPORT_HINT) from error
    header = Header(metadata, tensors, _LENGTH_BYTES + length)
    expected = header.size + max((entry.end for entry in tensors), default=0)
    if file_size != expected:
        state = "truncated" if file_size < expected else "damaged"
        raise WeightsError(
            f"is {state}: {file_size} bytes, its header says {expected}",
            path=path,
            hint="get the file again",
        )
    return header


def _entry(item: tuple[str, dict[str, object]]) -> TensorEntry:
    name, values = item
    begin, end = (int(str(offset)) for offset in _list(values["data_offsets"]))
    if not 0 <= begin <= end:
        raise ValueError(f"tensor {name!r} lies at {begin} to {end}")
    shape = tuple(int(str(side)) for side in _list(values["shape"]))
    return TensorEntry(name, str(values["dtype"]), shape, begin, end)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value
