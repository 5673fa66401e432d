"""Which codec for which file: FORMATS, and reading and writing through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from restore_cli.atomic import write_atomically
from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.avif import codec as avif_codec
from restore_cli.imaging.bmp import codec as bmp_codec
from restore_cli.imaging.gif import codec as gif_codec
from restore_cli.imaging.heif import codec as heif_codec
from restore_cli.imaging.image import Depth, Image, Metadata
from restore_cli.imaging.jpeg import codec as jpeg_codec
from restore_cli.imaging.jpeg2000 import codec as jpeg2000_codec
from restore_cli.imaging.metadata import fitting_icc, orient, upright_metadata, with_size
from restore_cli.imaging.netpbm import codec as netpbm_codec
from restore_cli.imaging.png import codec as png_codec
from restore_cli.imaging.psd import codec as psd_codec
from restore_cli.imaging.signatures import identify
from restore_cli.imaging.tiff import codec as tiff_codec
from restore_cli.imaging.webp import codec as webp_codec

Notes = tuple[str, ...]
Encoder = Callable[[Image, Depth, int | None], tuple[bytes, Notes]]
Kept = Literal["exif", "icc", "xmp", "dpi"]

DEPTHS: dict[int, Depth] = {8: "uint8", 16: "uint16", 32: "float32"}
_BITS: dict[Depth, int] = {depth: bits for bits, depth in DEPTHS.items()}
_ALL: tuple[Kept, ...] = ("exif", "icc", "xmp", "dpi")
_LABELS: dict[Kept, str] = {"exif": "EXIF", "icc": "colour profile", "xmp": "XMP", "dpi": ""}


@dataclass(frozen=True, slots=True)
class Format:
    """A file format and what can be written in it; without ``encode`` it is only read."""

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
    """Return the name of the format a path's suffix asks for; None without a suffix or for "-".

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
    """Return the format to write: requested, else the suffix's, else the source's own.

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


def read_image(path: str | Path) -> Image:
    """Return the picture in a file; its content decides the decoder, never its suffix.

    Raises:
        ImageError: missing, unreadable, damaged, unsupported or too large.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise ImageError("no such file", path=path, hint="check the name") from error
    except IsADirectoryError as error:
        raise ImageError("is a folder", path=path, hint="use restore batch") from error
    except PermissionError as error:
        raise ImageError("no permission to read it", path=path) from error
    except OSError as error:
        raise ImageError(f"cannot read: {error.strerror or error}", path=path) from error
    image = decode_image(data, str(path))
    return image.with_notes(*misnamed(file, image.format))


def misnamed(path: Path, format_name: str) -> Notes:
    """Return a note if a file's suffix says that it is of another format."""
    named = FORMATS[SUFFIXES.get(path.suffix.lower(), format_name)]
    row = FORMATS[format_name]
    if named.decode is row.decode:
        return ()
    return (f"the name says {named.title}, the content is {row.title}",)


def decode_image(data: bytes, name: str = "<stdin>") -> Image:
    """Return the picture in ``data``, upright, with metadata that says so.

    Args:
        data: a whole file.
        name: what messages call it.

    Raises:
        ImageError: empty, damaged, unsupported or too large; ``path`` is ``name``.
    """
    try:
        image = FORMATS[identify(data)].decode(data)
    except MemoryError as error:
        raise ImageError("does not fit into memory", path=name) from error
    except ImageError as error:
        error.path = error.path or name
        raise
    metadata, orientation, notes = upright_metadata(image.metadata)
    icc, icc_notes = fitting_icc(metadata.icc, image.pixels.shape[2])
    if image.format in ("avif", "heic"):  # their boxes have turned them; EXIF is not to be followed
        orientation = 1
    return replace(
        image,
        pixels=orient(image.pixels, orientation),
        alpha=None if image.alpha is None else orient(image.alpha, orientation),
        metadata=replace(metadata, icc=icc),
        notes=(*image.notes, *notes, *icc_notes),
    )


def encode_image(
    image: Image,
    *,
    format: str,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
    name: str = "",
) -> bytes:
    """Return the bytes of a file; see ``encode_with_notes``."""
    return encode_with_notes(
        image, format=format, quality=quality, bit_depth=bit_depth,
        strip_metadata=strip_metadata, name=name,
    )[0]  # fmt: skip


def encode_with_notes(
    image: Image,
    *,
    format: str,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
    name: str = "",
) -> tuple[bytes, Notes]:
    """Return the bytes of a file and what the user should know about it.

    Args:
        image: the picture; values are rounded and clamped to the depth written.
        format: a name in FORMATS or a suffix.
        quality: 1 to 100 for lossy formats; each encoder documents its default.
        bit_depth: 8, 16 or 32 (float); default: the source's, or the most the format holds.
        strip_metadata: write no EXIF, XMP or resolution; the colour profile stays, since
            colours are wrong without it.
        name: the file's name for messages.

    Raises:
        UsageError: a format, depth or quality that does not exist or does not fit.
        ImageError: the encoder refuses the picture.
    """
    row = FORMATS[output_format(image, requested=format)]
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is not between 1 and 100")
    image, depth, notes = fitted(image, row, bit_depth, strip_metadata=strip_metadata)
    if row.encode is None:  # output_format has checked; this tells the type checker
        raise UsageError(f"cannot write format {format!r}")
    try:
        data, more = row.encode(image, depth, quality)
    except ImageError as error:
        error.path = error.path or (name or None)
        raise
    return data, (*notes, *more)


def fitted(
    image: Image, row: Format, bit_depth: int | None, *, strip_metadata: bool
) -> tuple[Image, Depth, Notes]:
    """Return the image with what the format can hold of it, the depth to write, and notes.

    Raises:
        UsageError: the format does not hold so many bits.
    """
    depth, notes = _depth(image, row, bit_depth)
    if image.alpha is not None and not row.alpha:
        image = replace(image, alpha=None)
        notes += (f"alpha dropped: {row.title} cannot hold it",)
    metadata, dropped = _metadata(image, row, strip_metadata)
    return replace(image, metadata=metadata), depth, (*notes, *dropped)


def _depth(image: Image, row: Format, bit_depth: int | None) -> tuple[Depth, Notes]:
    if bit_depth is not None:
        wanted = DEPTHS.get(bit_depth)
        if wanted not in row.depths:
            held = ", ".join(str(_BITS[depth]) for depth in row.depths)
            raise UsageError(f"{row.title} cannot hold {bit_depth} bits", hint=f"it holds {held}")
        assert_depth: Depth = DEPTHS[bit_depth]
        return assert_depth, ()
    if image.depth in row.depths:
        return image.depth, ()
    best = row.depths[-1]
    source = "32-bit float" if image.depth == "float32" else "16 bits"
    notes: Notes = (f"{source} reduced to {_BITS[best]}: {row.title} holds {_BITS[best]}",)
    if image.depth == "float32" and float(image.pixels.max()) > 1:
        notes += (f"values above 1 clipped: {row.title} cannot hold them",)
    return best, notes


def _metadata(image: Image, row: Format, strip: bool) -> tuple[Metadata, Notes]:
    source = image.metadata
    icc, notes = fitting_icc(source.icc, image.pixels.shape[2])
    if strip:
        source, notes = Metadata(), ()
    exif = None if source.exif is None else with_size(source.exif, image.width, image.height)
    values = {"exif": exif, "icc": icc, "xmp": source.xmp, "dpi": source.dpi}
    for kind, label in _LABELS.items():
        if values[kind] is not None and kind not in row.keeps:
            if label:
                notes += (f"{label} dropped: not written into {row.title}",)
            values[kind] = None
    return Metadata(**values), notes  # type: ignore[arg-type]


def write_image(
    path: str | Path,
    image: Image,
    *,
    format: str | None = None,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
) -> Notes:
    """Write a file, whole or not at all, and return what the user should know about it.

    Raises:
        UsageError: see ``encode_with_notes``.
        ImageError: the format cannot be written, or there is nowhere to write.
    """
    chosen = output_format(image, path, format)
    data, notes = encode_with_notes(
        image, format=chosen, quality=quality, bit_depth=bit_depth,
        strip_metadata=strip_metadata, name=str(path),
    )  # fmt: skip
    write_atomically(path, data)
    return notes
