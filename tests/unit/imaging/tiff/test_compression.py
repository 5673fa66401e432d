from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile

from restore_cli.errors import ImageError
from restore_cli.imaging.limits import VARIABLE
from restore_cli.imaging.reading import decode_image
from restore_cli.imaging.tiff.reader import TiffReader

RGB = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def stored(compression, **options):
    buffer = io.BytesIO()
    options |= {"photometric": "rgb", "metadata": None, "compression": compression}
    tifffile.imwrite(buffer, RGB, **options)
    return buffer.getvalue()


def claiming(compression, **options):
    """Return a TIFF of 40 rows one of whose segments says that it is much larger."""
    data = bytearray(stored(compression, **options))
    if compression == "jpeg":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 60_000, 60_000)
    elif compression == "webp":
        struct.pack_into("<HH", data, data.index(b"\x9d\x01\x2a") + 3, 16_000, 16_000)
    else:
        at = data.index(b"\xff\x4f\xff\x51") + 8
        struct.pack_into(">II", data, at, 60_000, 60_000)
    return bytes(data)


KINDS = [
    ("jpeg", {}),
    ("jpeg", {"tile": (16, 16)}),
    ("webp", {"compressionargs": {"lossless": False, "level": 80}}),
    ("jpeg2000", {}),
]


@pytest.mark.parametrize(("compression", "options"), KINDS)
def test_a_segment_must_not_be_larger_than_its_page(compression, options, tmp_path):
    (tmp_path / "good.tif").write_bytes(stored(compression, **options))
    whole = decode_image((tmp_path / "good.tif").read_bytes()).pixels
    with TiffReader(tmp_path / "good.tif") as reader:
        np.testing.assert_array_equal(reader.read(0, 40, 0, 48)[0], whole)
    data = claiming(compression, **options)
    with pytest.raises(ImageError, match="claims to be"):
        decode_image(data)
    (tmp_path / "bad.tif").write_bytes(data)
    with pytest.raises(ImageError, match="claims to be"):
        TiffReader(tmp_path / "bad.tif")


def test_tiles_have_a_limit(monkeypatch):
    data = stored("zlib", tile=(16, 16))
    at = data.index(struct.pack("<H", 323)) + 2  # the rows of a tile
    wide = data[:at] + struct.pack("<HII", 4, 1, 1 << 30) + data[at + 10 :]
    with pytest.raises(ImageError, match="tiles of 16×1073741824"):
        decode_image(wide)
    monkeypatch.setenv(VARIABLE, "2000")
    assert decode_image(data).pixels.shape == (40, 48, 3)


def test_other_compressions_are_refused():
    with pytest.raises(ImageError, match="compressed by PNG is not supported"):
        decode_image(stored("png"))
