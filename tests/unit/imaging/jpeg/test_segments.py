import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.jpeg.segments import claimed_size, read_jpeg
from restore_cli.imaging.reading import decode_image
from restore_cli.imaging.writing import encode_image
from tests.unit.imaging.pictures import smooth

DATA = encode_image(Image(smooth(64, 64)), format="jpeg")


def test_values():
    info = read_jpeg(DATA)
    assert (info.width, info.height, info.components, info.adobe) == (64, 64, 3, False)


def test_every_cut_is_an_error():
    for length in range(3, len(DATA) - 1, 7):
        with pytest.raises(ImageError):
            decode_image(DATA[:length])


def test_data_behind_the_picture_is_ignored():
    assert decode_image(DATA + b"\0" * 100 + b"trailer").notes == ()


def test_further_pictures_are_noted():
    segment = b"\xff\xe2\x00\x06MPF\0"
    image = decode_image(DATA[:20] + segment + DATA[20:])
    assert "not carried over" in image.notes[0]


def test_unsupported_kinds_are_named():
    frame = DATA.index(b"\xff\xc0")
    lossless = DATA[: frame + 1] + b"\xc3" + DATA[frame + 2 :]
    with pytest.raises(ImageError, match="this kind of JPEG"):
        decode_image(lossless)
    two = DATA[: frame + 9] + b"\2" + DATA[frame + 10 :]
    with pytest.raises(ImageError, match="2 channels"):
        decode_image(two)


def test_the_size_a_header_claims():
    assert claimed_size(DATA) == (64, 64)
    assert claimed_size(DATA[:30]) == (0, 0)
    assert claimed_size(b"") == (0, 0)


def test_a_second_frame_does_not_hide_the_first():
    at = DATA.index(b"\xff\xc0")
    frame = DATA[at : at + 2 + 17]
    first = frame[:5] + b"\xff\xff\xff\xff" + frame[9:]
    with pytest.raises(ImageError, match="frame header"):
        decode_image(DATA[:at] + first + DATA[at:])
