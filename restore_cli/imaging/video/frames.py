"""Describes how a video's frames are stored: planes, bits, subsampling, colour."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.limits import check_size

Plane = NDArray[np.unsignedinteger[Any]]  # 8 or 16 bits
Planes = tuple[Plane, ...]

Kind = Literal["yuv", "gray", "rgb", "bgr"]
Matrix = Literal["bt601", "bt709", "bt2020"]

# From these sides on a video that does not say so is taken for BT.709, as players do.
_HD_WIDTH, _HD_HEIGHT = 1280, 577

_YUV = re.compile(r"yuv(420|422|444|411)p(?:(9|10|12|14|16)le)?")
_STEPS = {"420": (2, 2), "422": (1, 2), "444": (1, 1), "411": (1, 4)}
_PACKED: dict[str, tuple[Kind, int]] = {
    "rgb24": ("rgb", 8),
    "bgr24": ("bgr", 8),
    "rgb48le": ("rgb", 16),
    "bgr48le": ("bgr", 16),
    "gray": ("gray", 8),
    "gray9le": ("gray", 9),
    "gray10le": ("gray", 10),
    "gray12le": ("gray", 12),
    "gray16le": ("gray", 16),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a frame's samples lie in memory; see ``layout_of``.

    Attributes:
        name: FFmpeg's, such as "yuv420p10le".
        kind: planes of Y, Cb and Cr, one of grey, or one of three interleaved colours.
        bits: of a sample; more than 8 take two bytes, the lower one first.
        steps: rows and columns that share one Cb and Cr.
    """

    name: str
    kind: Kind
    bits: int = 8
    steps: tuple[int, int] = (1, 1)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        return np.dtype("u1" if self.bits == 8 else "<u2")

    @property
    def channels(self) -> int:
        """Return how many colours its pixels have."""
        return 1 if self.kind == "gray" else 3


def layout_of(name: str) -> Layout | None:
    """Return the layout with FFmpeg's name for it; None for one that is not read.

    There is ``rgb24``, ``bgr24``, ``rgb48le``, ``bgr48le``, ``gray``, ``gray10le`` and alike, and
    ``yuv420p``, ``yuv422p``, ``yuv444p``, ``yuv411p`` with 8 bits or, ending in ``10le`` or alike,
    9 to 16. ``yuvj420p`` and alike are ``yuv420p`` in full range.
    """
    if name in _PACKED:
        kind, bits = _PACKED[name]
        return Layout(name, kind, bits)
    match = _YUV.fullmatch(name.replace("yuvj", "yuv"))
    if match is None:
        return None
    return Layout(match.group(), "yuv", int(match[2] or 8), _STEPS[match[1]])


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """Describes what all frames of a video have in common.

    Attributes:
        layout: of their samples.
        width: in pixels.
        height: in pixels.
        matrix: from R'G'B' to Y'CbCr; without meaning for other layouts.
        is_full_range: 0 is black and the largest code is white. Else Y goes from 16 to 235 and
            Cb and Cr from 16 to 240 (times 4 for 10 bits, and so on).
        is_cosited: rows, columns: the first of those that share a Cb is where it was taken;
            else it is their middle.
    """

    layout: Layout
    width: int
    height: int
    matrix: Matrix = "bt601"
    is_full_range: bool = False
    is_cosited: tuple[bool, bool] = (False, False)

    def __post_init__(self) -> None:
        check_size(self.width, self.height)

    @property
    def plane_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Return (rows, columns) of each plane; with three colours if they are interleaved."""
        size = (self.height, self.width)
        if self.layout.kind == "gray":
            return (size,)
        if self.layout.kind != "yuv":
            return ((*size, 3),)
        rows, columns = (
            -(-side // step) for side, step in zip(size, self.layout.steps, strict=True)
        )
        return (size, (rows, columns), (rows, columns))

    @property
    def frame_bytes(self) -> int:
        """Return what a frame takes without any gaps."""
        samples = sum(int(np.prod(shape)) for shape in self.plane_shapes)
        return samples * self.layout.dtype.itemsize

    def scaled(self, scale: int) -> FrameFormat:
        """Return the same for frames with ``scale`` times the pixels on each side."""
        return replace(self, width=self.width * scale, height=self.height * scale)

    def unpacked(self, data: bytes | bytearray) -> Planes:
        """Return the planes of a frame's bytes, without a copy.

        Args:
            data: ``frame_bytes`` of them.
        """
        planes = []
        start = 0
        for shape in self.plane_shapes:
            count = int(np.prod(shape))
            flat = np.frombuffer(data, self.layout.dtype, count, start)
            planes.append(flat.reshape(shape))
            start += flat.nbytes
        return tuple(planes)


def packed(planes: Planes) -> bytes:
    """Return a frame's bytes, plane after plane."""
    return b"".join(np.ascontiguousarray(plane).tobytes() for plane in planes)


def usual_matrix(width: int, height: int) -> Matrix:
    """Return the matrix of a video that does not tell: BT.709 from 1280 columns or 577 rows."""
    return "bt709" if width >= _HD_WIDTH or height >= _HD_HEIGHT else "bt601"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video.

    Attributes:
        planes: its samples.
        mark: what its stream says beside it, to be handed on.
        time: when it is shown, in the stream's own unit.
        duration: for how long, in that unit.
    """

    planes: Planes
    mark: bytes = b""
    time: int | None = None
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class VideoHeader:
    """Facts about a video that are known before its first frame.

    Attributes:
        format: of its frames.
        rate: frames a second; None: not told.
        frames: how many; None: not told.
        tags: Y4M parameters to be handed on as they are.
    """

    format: FrameFormat
    rate: Fraction | None = None
    aspect: Fraction | None = None  # width of a pixel by its height
    frames: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passed:
    """A packet between frames that is passed on unchanged, such as a piece of sound."""

    packet: Any  # of the library that read it
