"""Lists video formats, and recognises videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from restore_cli.errors import ImageError
from restore_cli.imaging.video.y4m import MAGIC

HEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """Describes a format that videos are written in.

    Attributes:
        title: for people.
        suffixes: the first is the one new files get.
        muxer: FFmpeg's name of the container; "" for bare streams, which need no library.
        codec: FFmpeg's name of the encoder for its pictures.
    """

    title: str
    suffixes: tuple[str, ...]
    muxer: str = ""
    codec: str = ""


VIDEO_FORMATS: dict[str, VideoFormat] = {
    "y4m": VideoFormat("Y4M", (".y4m",)),
    "rawvideo": VideoFormat("raw video", (".raw", ".rgb", ".yuv")),
    "mp4": VideoFormat("MP4", (".mp4", ".m4v"), "mp4", "libx264"),
    "mkv": VideoFormat("Matroska", (".mkv",), "matroska", "libx264"),
    "mov": VideoFormat("QuickTime", (".mov",), "mov", "libx264"),
    "webm": VideoFormat("WebM", (".webm",), "webm", "libvpx-vp9"),
}
VIDEO_SUFFIXES: dict[str, str] = {
    suffix: name for name, row in VIDEO_FORMATS.items() for suffix in row.suffixes
}
# What videos are written as whose own container is only read, or cannot be told.
SUBSTITUTE = "mkv"

# Containers that are read only: old, or without place for frames of varying duration.
READ_ONLY = (".3gp", ".avi", ".flv", ".m2ts", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".wmv")
_STARTS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", MAGIC)
# The first brands of files that are videos; those of AVIF, HEIC and camera raws are others.
_BRANDS = (b"isom", b"iso", b"mp4", b"avc1", b"qt  ", b"M4V", b"3g", b"dash", b"MSNV", b"XAVC")


def video_format(name: str) -> str | None:
    """Return the name in VIDEO_FORMATS for a name or suffix; None if it is no video's."""
    lower = name.lower().lstrip(".")
    if lower in VIDEO_FORMATS:
        return lower
    return VIDEO_SUFFIXES.get(f".{lower}")


def is_video(head: bytes, path: str | Path = "") -> bool:
    """Return whether a file is a video, by its first bytes, else by its suffix.

    Args:
        head: the first HEAD_BYTES of it.
        path: its name.
    """
    if head[4:8] == b"ftyp":
        return head[8:12].startswith(_BRANDS)
    if head.startswith(_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    return Path(path).suffix.lower() in (*VIDEO_SUFFIXES, *READ_ONLY)


def video_suffix(name: str | Path) -> str:
    """Return the suffix of the result for a video that was found among photos.

    Empty for anything else: images, raw frames, which do not tell their size, and ``.ts``, since
    most such files are programs.
    """
    suffix = Path(name).suffix.lower()
    if suffix == ".ts" or VIDEO_SUFFIXES.get(suffix) == "rawvideo":
        return ""
    if suffix in READ_ONLY:
        return VIDEO_FORMATS[SUBSTITUTE].suffixes[0]
    return Path(name).suffix if suffix in VIDEO_SUFFIXES else ""


def first_bytes(path: str | Path) -> bytes:
    """Return the first HEAD_BYTES of a file; nothing if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def written_format(path: str | Path, requested: str | None, own: str) -> str:
    """Return the format to write: the requested one, else the suffix's, else the video's own.

    Args:
        path: of the result; "-" for standard output.
        requested: a name, or None.
        own: name of the source's format; another than those that can be written is substituted.

    Raises:
        ImageError: no video is written like this.
    """
    name = requested or (Path(path).suffix if str(path) != "-" else "")
    if not name:
        return own if own in VIDEO_FORMATS else SUBSTITUTE
    known = video_format(name)
    if known is None:
        raise ImageError(f"cannot write a video as {name}", path=path, hint=f"choose {writable()}")
    return known


def writable() -> str:
    """Return the names of formats that can be written, for messages."""
    return ", ".join(VIDEO_FORMATS)
