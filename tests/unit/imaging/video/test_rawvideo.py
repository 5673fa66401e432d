import io

import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.video.frames import Passed, layout_of
from restore_cli.imaging.video.rawvideo import RawReader, RawWriter, raw_format


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (None, 5 * 3 * 3),
        ("bgr24", 5 * 3 * 3),
        ("gray", 5 * 3),
        ("gray16le", 5 * 3 * 2),
        ("rgb48le", 5 * 3 * 6),
        ("yuv420p", 5 * 3 + 2 * 3 * 2),
        ("yuv422p", 5 * 3 + 2 * 3 * 3),
        ("yuv411p", 5 * 3 + 2 * 2 * 3),
        ("yuv420p10le", 2 * (5 * 3 + 2 * 3 * 2)),
    ],
)
def test_bytes_pass_unchanged(name, size, rng):
    data = rng.bytes(2 * size)
    source, out = RawReader(io.BytesIO(data).read, raw_format(5, 3, name), len(data)), io.BytesIO()
    assert (source.header.format.frame_bytes, source.header.frames) == (size, 2)
    sink = RawWriter(out.write)
    for frame in source:
        sink.write(frame)
        sink.write(Passed(None))
    assert out.getvalue() == data


def test_errors():
    with pytest.raises(UsageError, match="no pixel format is called 'nv12' here"):
        raw_format(5, 3, "nv12")
    with pytest.raises(ImageError, match="megapixels"):
        raw_format(99_999, 99_999, "rgb24")
    frames = iter(RawReader(io.BytesIO(bytes(50)).read, raw_format(5, 3, None)))
    next(frames)
    with pytest.raises(ImageError, match="ends within a frame, after 1 whole frame "):
        next(frames)


def test_names_of_layouts():
    assert layout_of("yuvj420p") == layout_of("yuv420p")
    for name in ("nv12", "pal8", "yuv420p10be", "yuva420p", "yuv410p", ""):
        assert layout_of(name) is None


def test_what_is_assumed():
    hd, sd = raw_format(1280, 720, "yuv420p"), raw_format(720, 576, "yuv420p")
    assert (hd.matrix, sd.matrix) == ("bt709", "bt601")
    assert (hd.is_cosited, hd.is_full_range) == ((False, True), False)
    assert raw_format(5, 3, "gray").is_full_range
