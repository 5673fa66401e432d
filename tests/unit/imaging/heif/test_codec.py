from __future__ import annotations

import sys

import numpy as np
import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.formats import output_format
from restore_cli.imaging.metadata import exif_orientation
from restore_cli.imaging.reading import decode_image, read_image
from tests.unit.imaging.pictures import FORMATS_FOLDER

PHOTO, DEEP = FORMATS_FOLDER / "photo.heic", FORMATS_FOLDER / "photo_10bit.heic"


def test_values():
    image = read_image(DEEP)
    reference = read_image(FORMATS_FOLDER / "rgb16.png").pixels
    assert b"irot" in DEEP.read_bytes()
    assert image.pixels.shape == reference.shape  # upright, once
    assert np.unique(image.pixels).size > 256
    assert float(np.abs(image.pixels - reference).mean()) < 0.02
    assert exif_orientation(image.metadata.exif) == 1
    assert not image.lossless


def test_what_it_becomes():
    assert output_format(read_image(PHOTO)) == "jpeg"
    assert output_format(read_image(PHOTO), "a.png") == "png"


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UsageError, match="not installed") as caught:
        read_image(PHOTO)
    assert "restore-cli[heic]" in caught.value.hint


@pytest.mark.parametrize("size", [40, 300, 600, -1])
def test_truncated(size, capfd):
    with pytest.raises(ImageError, match="HEIC"):
        decode_image(PHOTO.read_bytes()[:size])
    assert capfd.readouterr() == ("", "")


def test_a_bomb():
    data = bytearray(PHOTO.read_bytes())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = b"\0\1\0\0\0\1\0\0"
    with pytest.raises(ImageError, match="65536×65536"):
        decode_image(bytes(data))
