import io
from fractions import Fraction

import numpy as np
import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.video.frames import FrameFormat, Passed, VideoHeader, layout_of, packed
from restore_cli.imaging.video.y4m import Y4mReader, Y4mWriter, header_line, space_of


def stream(tags="W6 H4 F30000:1001 Ip A1:1 C420jpeg", sizes=(36, 36), marks=(b"", b" Ip")):
    data = f"YUV4MPEG2 {tags}\n".encode()
    for index, (size, mark) in enumerate(zip(sizes, marks, strict=True)):
        data += b"FRAME" + mark + b"\n" + bytes([index + 1]) * size
    return data


def reader(data):
    return Y4mReader(io.BytesIO(data).read, len(data))


def test_a_stream_is_written_as_it_was_read():
    for tags in (
        "W6 H4 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED",
        "W6 H4 C420paldv",
        "W6 H4 F25:1",
        "W5 H3 I? A0:0 C420mpeg2 Xfrom=elsewhere",
    ):
        size = 36 if "W6" in tags else 15 + 2 * 6
        data = stream(tags, (size, size))
        source, out = reader(data), io.BytesIO()
        sink = Y4mWriter(out.write, source.header)
        for frame in source:
            sink.write(frame)
            sink.write(Passed(b"sound has no place here"))
        assert out.getvalue() == data
        assert source.header.frames == 2


@pytest.mark.parametrize(
    ("tag", "layout", "is_cosited"),
    [
        ("C420", "yuv420p", (False, False)),
        ("C420mpeg2", "yuv420p", (False, True)),
        ("C422", "yuv422p", (False, True)),
        ("C444", "yuv444p", (False, False)),
        ("Cmono", "gray", (False, False)),
        ("Cmono16", "gray16le", (False, False)),
        ("C420p10", "yuv420p10le", (False, True)),
        ("C444p12", "yuv444p12le", (False, False)),
        ("", "yuv420p", (False, False)),
    ],
)
def test_colour_spaces(tag, layout, is_cosited):
    format = reader(stream(f"W6 H4 {tag}", (), ())).header.format
    assert (format.layout.name, format.is_cosited) == (layout, is_cosited)
    assert format.is_full_range is tag.startswith("Cmono")
    assert layout_of(layout) == layout_of(format.layout.name)


def test_header_facts():
    header = reader(stream("W1920 H1080 F24:1 A4:3 C444 XCOLORRANGE=FULL", (), ())).header
    assert (header.rate, header.aspect) == (24, Fraction(4, 3))
    assert (header.format.matrix, header.format.is_full_range) == ("bt709", True)
    assert reader(stream("W720 H576", (), ())).header.format.matrix == "bt601"
    assert not reader(stream("W6 H4 Cmono XCOLORRANGE=LIMITED", (), ())).header.format.is_full_range


def test_a_header_of_ones_own_is_read_back():
    for name in ("yuv420p", "yuv422p", "yuv444p16le", "gray", "gray10le", "yuv420p10le"):
        format = FrameFormat(layout_of(name), 6, 4, is_cosited=(False, "2" in name))
        if "444" in name or "gray" in name:
            format = FrameFormat(layout_of(name), 6, 4)
        line = header_line(VideoHeader(format, rate=None))
        assert reader(line).header.format == format
    assert space_of(FrameFormat(layout_of("rgb24"), 6, 4)) is None
    with pytest.raises(ValueError, match="no Y4M colour space for rgb24"):
        header_line(VideoHeader(FrameFormat(layout_of("rgb24"), 6, 4)))


def test_planes_are_those_of_the_bytes(rng):
    format = reader(stream("W5 H3 C420p10", (), ())).header.format
    data = rng.integers(0, 1024, format.frame_bytes // 2).astype("<u2").tobytes()
    y, u, v = format.unpacked(data)
    assert (y.shape, u.shape, v.shape) == ((3, 5), (2, 3), (2, 3))
    assert int(u[0, 0]) == int.from_bytes(data[30:32], "little")
    assert packed((y, u, v)) == data
    np.testing.assert_array_equal(format.unpacked(data)[0], y)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (stream("W6 H4 It"), "interlaced video is not supported"),
        (stream("W6 H4 Im"), "interlaced"),
        (stream("W6"), "no width and height"),
        (stream("Wx H4"), "no width and height"),
        (stream("W0 H4"), "0×4 pixels"),
        (stream("W999999 H999999"), "megapixels"),
        (stream("W6 H4 C444alpha"), "C444alpha is not supported"),
        (b"YUV4MPEG2 W6 H4", "ends within a header line"),
        (b"YUV4MPEG2 " + b"X" * 9000, "header line does not end"),
        (b"Yours truly\n", "not an image or YUV4MPEG2 stream"),
    ],
)
def test_errors(data, message):
    with pytest.raises(ImageError, match=message):
        reader(data)


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [
        (stream()[:-1], 1, "ends within a frame, after 1 whole frame"),
        (stream(sizes=(5, 0)), 0, "after 0 whole frames"),
        (stream() + b"FRAM", 2, "ends within a header line"),
        (stream() + b"JUNK\n", 2, "damaged after frame 2"),
    ],
)
def test_whole_frames_come_before_the_error(data, count, message):
    frames = iter(reader(data))
    for _ in range(count):
        next(frames)
    with pytest.raises(ImageError, match=message):
        next(frames)


def test_the_first_frame_needs_nothing_after_it():
    data = stream()
    end = len(data) - 36 - len(b"FRAME Ip\n")
    asked = io.BytesIO(data[:end])
    next(iter(Y4mReader(asked.read)))
    assert asked.tell() == end
