"""Lists the file formats: their suffixes, codecs, and what can be stored in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.avif import codec as avif_codec
from restore_cli.imaging.bmp import codec as bmp_codec
from restore_cli.imaging.gif import codec as gif_codec
from restore_cli.imaging.heif import codec as heif_codec
from restore_cli.imaging.image import Depth, Image
from restore_cli.imaging.jpeg import codec as jpeg_codec
from restore_cli.imaging.jpeg2000 import codec as jpeg2000_codec
from restore_cli.imaging.netpbm import codec as netpbm_codec
from restore_cli.imaging.png import codec as png_codec
from restore_cli.imaging.psd import codec as psd_codec
from restore_cli.imaging.tiff import codec as tiff_codec
from restore_cli.imaging.webp import codec as webp_codec

Notes = tuple[str, ...]
Encoder = Callable[[Image, Depth, int | None], tuple[bytes, Notes]]
Kept = Literal["exif", "icc", "xmp", "dpi"]

DEPTHS: dict[int, Depth] = {8: "uint8", 16: "uint16", 32: "float32"}
BITS: dict[Depth, int] = {depth: bits for bits, depth in DEPTHS.items()}
_ALL: tuple[Kept, ...] = ("exif", "icc", "xmp", "dpi")


@dataclass(frozen=True, slots=True)
class Format:
    """Describes a file format; without ``encode`` it is only read."""

    title: str
    suffixes: tuple[str, ...]  # the first is the one new files get
    decode: Callable[[bytes], Image]
    encode: Encoder | None = None
    depths: tuple[Depth, ...] = ("uint8",)
    alpha: bool = False
    keeps: tuple[Kept, ...] = ()
    substitute: str = "png"  # what a read-only format is written as


FORMATS: dict[str, Format] = {
    "png": Format(
        "PNG", (".png", ".apng"), png_codec.decode, png_codec.encode,
        depths=("uint8", "uint16"), alpha=True, keeps=_ALL,
    ),
    "jpeg": Format(
        "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), jpeg_codec.decode,
        jpeg_codec.encode, keeps=_ALL,
    ),
    "tiff": Format(
        "TIFF", (".tif", ".tiff"), tiff_codec.decode, tiff_codec.encode,
        depths=("uint8", "uint16", "float32"), alpha=True, keeps=_ALL,
    ),
    "webp": Format(
        "WebP", (".webp",), webp_codec.decode, webp_codec.encode,
        alpha=True, keeps=("exif", "icc", "xmp"),
    ),
    "avif": Format(
        "AVIF", (".avif",), avif_codec.decode, avif_codec.encode,
        depths=("uint8", "uint16"), alpha=True, keeps=("exif", "icc", "xmp"),
    ),
    "jp2": Format(
        "JPEG 2000", (".jp2", ".j2k", ".jpx"), jpeg2000_codec.decode,
        jpeg2000_codec.encode, depths=("uint8", "uint16"), alpha=True,
    ),
    "bmp": Format(
        "BMP", (".bmp", ".dib"), bmp_codec.decode, bmp_codec.encode, alpha=True
    ),
    "heic": Format("HEIC", (".heic", ".heif", ".hif"), heif_codec.decode, substitute="jpeg"),
    "gif": Format("GIF", (".gif",), gif_codec.decode),
    "psd": Format("Photoshop", (".psd",), psd_codec.decode, substitute="tiff"),
    "pgm": Format("PGM", (".pgm", ".pbm", ".pnm"), netpbm_codec.decode),
    "ppm": Format("PPM", (".ppm",), netpbm_codec.decode),
    "pfm": Format("PFM", (".pfm",), netpbm_codec.decode, substitute="tiff"),
}  # fmt: skip

SUFFIXES: dict[str, str] = {
    suffix: name for name, row in FORMATS.items() for suffix in row.suffixes
}


def writable() -> str:
    """Return the names of formats that can be written, for messages."""
    return ", ".join(name for name, row in FORMATS.items() if row.encode is not None)


def format_for(path: str | Path) -> str | None:
    """Return the format that a path's suffix asks for; None without a suffix or for "-".

    Raises:
        ImageError: an unknown suffix, or one of a format that is only read.
    """
    suffix = Path(path).suffix.lower()
    if not suffix:
        return None
    name = SUFFIXES.get(suffix)
    if name is None or FORMATS[name].encode is None:
        raise ImageError(f"cannot write {suffix} files", path=path, hint=f"choose {writable()}")
    return name


def output_format(image: Image, path: str | Path = "", requested: str | None = None) -> str:
    """Return the format to write: the requested one, else the suffix's, else the source's own.

    Raises:
        UsageError: an unknown or read-only format was requested.
        ImageError: see ``format_for``.
    """
    if requested is not None:
        name = requested.lower().lstrip(".")
        name = SUFFIXES.get(f".{name}", name)
        if name not in FORMATS or FORMATS[name].encode is None:
            raise UsageError(f"cannot write format {requested!r}", hint=f"choose {writable()}")
        return name
    return format_for(path) or writable_format(image)


def writable_format(image: Image) -> str:
    """Return the source's format, or the substitute for one that is only read."""
    row = FORMATS[image.format]
    if row.encode is not None:
        return image.format
    return "tiff" if image.depth == "float32" else row.substitute
