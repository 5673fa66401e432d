"""Imports PyAV, which brings FFmpeg's libraries; an extra, since few need it and it is large."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_cli.errors import UsageError
from restore_cli.imaging.video.frames import Matrix, Plane, Planes

if TYPE_CHECKING:
    from types import ModuleType

    from av import VideoFrame

INSTALL = "pip install 'restore-cli[video]'"

# What H.273 calls the matrices; the ones of PAL and NTSC are the same.
MATRICES: dict[int, Matrix] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
FULL_RANGE = 2  # limited is 1, 0 is not told


def library() -> ModuleType:
    """Import PyAV.

    Raises:
        UsageError: it is not installed.
    """
    with contextlib.suppress(ModuleNotFoundError):
        import av

        av.logging.set_level(av.logging.PANIC)  # what fails comes as an exception
        return av
    raise UsageError("video files need PyAV, which is not installed", hint=INSTALL)


def frame_planes(frame: VideoFrame) -> Planes:
    """Return the planes of a frame in a layout of ours, without a copy."""
    bits = max(component.bits for component in frame.format.components)
    itemsize = 1 if bits == 8 else 2
    packed = 1 if len(frame.planes) > 1 or len(frame.format.components) == 1 else 3
    planes: list[Plane] = []
    for plane in frame.planes:
        # FFmpeg leaves a gap after each row.
        samples: Any = plane  # a buffer, which its type hints do not say
        flat: Plane = np.frombuffer(samples, "u1" if itemsize == 1 else "<u2")
        rows = flat.reshape(plane.height, plane.line_size // itemsize)[:, : plane.width * packed]
        planes.append(rows if packed == 1 else rows.reshape(plane.height, plane.width, packed))
    return tuple(planes)
