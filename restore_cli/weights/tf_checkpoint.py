"""TensorFlow V2 checkpoints, read and written without TensorFlow.

``<prefix>.index`` is a LevelDB table: variable name → BundleEntryProto (type, shape, place), and
the empty name → BundleHeaderProto. ``<prefix>.data-00000-of-00001`` holds the values back to back.

Source: tensorflow/core/protobuf/tensor_bundle.proto; LevelDB, doc/table_format.md.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.atomic import replacing
from restore_cli.errors import WeightsError
from restore_cli.weights.crc32c import crc32c, masked

INDEX_SUFFIX = ".index"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")  # the end of every LevelDB table

_FOOTER_BYTES = 48
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_AGAIN = "get both the .index and the .data file again"

# Any dtype of the table above.
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """Where the values of one variable lie, and what they are."""

    name: str
    dtype: int  # of the DataType enumeration
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int  # bytes
    checksum: int  # masked CRC-32C
    is_sliced: bool  # spread over several entries


def prefix_of(path: Path) -> Path:
    """Return what the names of a checkpoint's files begin with, given any of them or that."""
    name = _SHARD.sub("", path.name).removesuffix(INDEX_SUFFIX)
    return path.with_name(name)


def files_of(prefix: Path) -> list[Path]:
    """Return the files of a checkpoint, the index first.

    Raises:
        WeightsError: the index is unreadable or damaged.
    """
    count, _ = read_index(prefix)
    return [_index(prefix), *(_data(prefix, i, count) for i in range(count))]


def read_index(prefix: Path) -> tuple[int, dict[str, Variable]]:
    """Return the number of data files, and the variables by name.

    Raises:
        WeightsError: the index is unreadable or damaged.
    """
    path = _index(prefix)
    data = _read(path)
    try:
        table = dict(_entries(data))
        header = _message(table.pop(b"", b""))
        if _number(header, 2):
            raise ValueError("its numbers are big-endian")
        variables = [_variable(key.decode(), value) for key, value in table.items()]
    except (ValueError, IndexError, struct.error) as error:
        what = f"is no TensorFlow checkpoint index, or a damaged one: {error}"
        raise WeightsError(what, path=path, hint=_AGAIN) from error
    return max(1, _number(header, 1)), {variable.name: variable for variable in variables}


def read_checkpoint(
    prefix: Path, is_wanted: Callable[[Variable], bool] = lambda variable: True
) -> dict[str, Array]:
    """Return the wanted variables by name, in their TensorFlow shapes.

    Raises:
        WeightsError: a file is missing or damaged, or a variable is of a kind we cannot read.
    """
    count, variables = read_index(prefix)
    wanted = [variable for variable in variables.values() if is_wanted(variable)]
    values: dict[str, Array] = {}
    for shard in sorted({variable.shard for variable in wanted}):
        path = _data(prefix, shard, count)
        data = memoryview(_read(path))
        for variable in wanted:
            if variable.shard == shard:
                values[variable.name] = _value(variable, data, path)
    return values


def write_checkpoint(prefix: Path, values: Mapping[str, NDArray[np.float32]]) -> None:
    """Write both files of a checkpoint; the index last, without which there is none.

    Raises:
        WeightsError: a file cannot be written.
    """
    table = {b"": _field(1, 1) + _field(3, _field(1, 1))}  # one data file; written by version 1
    offset = 0
    with replacing(_data(prefix, 0, 1), WeightsError) as file:
        for name in sorted(values):
            value = values[name].astype("<f4", copy=False)
            data = value.tobytes()
            shape = b"".join(_field(2, _field(1, side)) for side in value.shape)
            checksum = _key(6, _FIXED32) + masked(crc32c(data)).to_bytes(4, "little")
            place = _field(4, offset) + _field(5, len(data)) + checksum
            table[name.encode()] = _field(1, 1) + _field(2, shape) + place
            offset += len(data)
            file.write(data)
    with replacing(_index(prefix), WeightsError) as file:
        file.write(_table_of(table))


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + INDEX_SUFFIX)


def _data(prefix: Path, shard: int, count: int) -> Path:
    return prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{count:05d}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        hint = "a TensorFlow checkpoint is an .index and a .data file side by side"
        raise WeightsError("no such file", path=path, hint=hint) from error
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error


def _value(variable: Variable, data: memoryview, path: Path) -> Array:
    dtype = _DTYPES.get(variable.dtype)
    if dtype is None or variable.is_sliced:
        kind = "in slices" if variable.is_sliced else f"of TensorFlow type {variable.dtype}"
        raise WeightsError(f"variable {variable.name!r} is {kind}, which is not read", path=path)
    content = data[variable.offset : variable.offset + variable.size]
    if len(content) != variable.size:
        what = f"is truncated: variable {variable.name!r} lies beyond its end"
        raise WeightsError(what, path=path, hint=_AGAIN)
    expected = math.prod(variable.shape) * np.dtype(dtype).itemsize
    if variable.size != expected or masked(crc32c(content)) != variable.checksum:
        what = f"is damaged: variable {variable.name!r} has the wrong checksum or size"
        raise WeightsError(what, path=path, hint=_AGAIN)
    return np.frombuffer(content, dtype).reshape(variable.shape).copy()


def _variable(name: str, data: bytes) -> Variable:
    message = _message(data)
    shape = _message(_text(message, 2))
    return Variable(
        name=name,
        dtype=_number(message, 1),
        shape=tuple(_number(_message(bytes(side)), 1) for side in _texts(shape, 2)),
        shard=_number(message, 3),
        offset=_number(message, 4),
        size=_number(message, 5),
        checksum=_number(message, 6),
        is_sliced=bool(_texts(message, 7)),
    )


# LevelDB tables.


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a table, from every block that its index block points to."""
    if not data.endswith(MAGIC) or len(data) < _FOOTER_BYTES:
        raise ValueError("it does not end as a table does")
    footer = data[-_FOOTER_BYTES:]
    _, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    for _, value in _block_entries(_block(data, *index)):
        handle, _ = _handle(value, 0)
        yield from _block_entries(_block(data, *handle))


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> bytes:
    """Return a block without the five bytes after it: kind of compression, checksum."""
    end = offset + size
    kind, checksum = struct.unpack_from("<BI", data, end)
    if kind:
        raise ValueError("it is compressed")
    if masked(crc32c(data[offset : end + 1])) != checksum:
        raise ValueError("a block has the wrong checksum")
    return data[offset:end]


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; a key is given by what differs from the one before."""
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    at, end = 0, len(block) - 4 * (restarts + 1)
    key = b""
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        size, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + size]
        at += size


def _table_of(entries: Mapping[bytes, bytes]) -> bytes:
    keys = sorted(entries)
    content = _stored_block([(key, entries[key]) for key in keys])
    nothing = _stored_block([])
    index = _stored_block([(keys[-1], _varint_of(0) + _varint_of(len(content) - 5))])
    places = (
        (len(content), len(nothing) - 5),
        (len(content) + len(nothing), len(index) - 5),
    )
    footer = b"".join(_varint_of(offset) + _varint_of(size) for offset, size in places)
    return content + nothing + index + footer.ljust(_FOOTER_BYTES - len(MAGIC), b"\0") + MAGIC


def _stored_block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Return a block where every key is written in full, with its trailer."""
    block, restarts = b"", []
    for key, value in entries:
        restarts.append(len(block))
        block += _varint_of(0) + _varint_of(len(key)) + _varint_of(len(value)) + key + value
    restarts = restarts or [0]
    block += struct.pack(f"<{len(restarts)}II", *restarts, len(restarts)) + b"\0"
    return block + masked(crc32c(block)).to_bytes(4, "little")


# Protocol buffers: field number → the values given for it.


def _message(data: bytes) -> dict[int, list[int | bytes]]:
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _field_value(data, at, key & 7)
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _field_value(data: bytes, at: int, kind: int) -> tuple[int | bytes, int]:
    if kind == _VARINT:
        return _varint(data, at)
    if kind == _BYTES:
        size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError("a field lies beyond the end of its message")
        return data[at : at + size], at + size
    if kind in (_FIXED32, _FIXED64):
        size = 4 if kind == _FIXED32 else 8
        return int.from_bytes(data[at : at + size], "little"), at + size
    raise ValueError(f"a field is of unknown kind {kind}")


def _number(fields: Mapping[int, list[int | bytes]], number: int) -> int:
    """Return a number; 0 is what is not written."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {number} is not a number")
    return value


def _text(fields: Mapping[int, list[int | bytes]], number: int) -> bytes:
    return b"".join(_texts(fields, number))


def _texts(fields: Mapping[int, list[int | bytes]], number: int) -> list[bytes]:
    values = fields.get(number, [])
    texts = [value for value in values if isinstance(value, bytes)]
    if len(texts) != len(values):
        raise ValueError(f"field {number} is a number")
    return texts


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _varint_of(value: int) -> bytes:
    data = bytearray()
    while value >= 128:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def _key(number: int, kind: int) -> bytes:
    return _varint_of(number << 3 | kind)


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _key(number, _VARINT) + _varint_of(value)
    return _key(number, _BYTES) + _varint_of(len(value)) + value
