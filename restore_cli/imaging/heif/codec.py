"""Reads HEIC photos, as phones write them, by pi-heif, an extra that brings libheif."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import numpy as np

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.heif.boxes import read_heif
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.pixels import split_alpha, to_float

if TYPE_CHECKING:
    from types import ModuleType

INSTALL = "pip install 'restore-cli[heic]'"

# All that pi-heif says it raises; OSError stands for memory, too.
_DAMAGE = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, LookupError)


def decode(data: bytes) -> Image:
    """Decode the main picture of a HEIC and turn it as its boxes say; 10 bits become "uint16".

    Raises:
        UsageError: pi-heif is not installed.
        ImageError: damaged, truncated or over the size limit.
    """
    library = _library()
    info = read_heif(data, "HEIC")
    check_size(info.width, info.height)
    try:
        file = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
        size: tuple[int, int] = file.size
        check_size(*size)
        samples = np.asarray(file)[:, : size[0]]  # rows may have a gap behind them
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:120]
        hint = "copy it again from the source"
        raise ImageError(f"damaged HEIC: {reason}", hint=hint) from error
    name, _, bits = str(file.mode).partition(";")
    maximum = (1 << int(bits or 8)) - 1
    channels = samples if samples.ndim == 3 else samples[:, :, None]
    pixels, alpha = split_alpha(to_float(channels, maximum))
    if alpha is not None and name.endswith("a"):  # colour is stored multiplied by it
        pixels = np.divide(pixels, alpha, out=np.zeros_like(pixels), where=alpha > 0).clip(0, 1)
    count = len(file)
    return Image(
        pixels,
        alpha,
        "uint8" if maximum == 255 else "uint16",
        Metadata(file.info.get("exif"), file.info.get("icc_profile"), file.info.get("xmp")),
        "heic",
        (f"first of {count} pictures used",) if count > 1 else (),
        lossless=False,
    )


def _library() -> ModuleType:
    """Import pi-heif.

    Raises:
        UsageError: it is not installed.
    """
    with contextlib.suppress(ModuleNotFoundError):
        import pi_heif

        module: ModuleType = pi_heif
        return module
    raise UsageError("HEIC needs pi-heif, which is not installed", hint=INSTALL)
