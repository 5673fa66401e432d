import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.video.formats import first_bytes, is_video, video_format, written_format


@pytest.mark.parametrize(
    ("head", "path", "expected"),
    [
        (b"\0\0\0\x20ftypisom", "a.jpg", True),
        (b"\0\0\0\x14ftypqt  ", "", True),
        (b"\0\0\0\x1cftypavif", "a.avif", False),
        (b"\0\0\0\x1cftypheic", "a.heic", False),
        (b"\x1aE\xdf\xa3", "-", True),
        (b"RIFF1234AVI ", "", True),
        (b"RIFF1234WEBP", "a.webp", False),
        (b"YUV4MPEG2 W1", "", True),
        (b"\x89PNG\r\n\x1a\n", "a.png", False),
        (b"G@\0\x10", "clip.MTS", True),
        (b"", "", False),
    ],
)
def test_what_is_a_video(head, path, expected):
    assert is_video(head, path) is expected


def test_names():
    assert [video_format(name) for name in ("y4m", ".YUV", "MP4", "m4v", "png", "")] == [
        "y4m", "rawvideo", "mp4", "mp4", None, None,
    ]  # fmt: skip


def test_what_is_written():
    assert written_format("a.mov", None, "mp4") == "mov"
    assert written_format("-", None, "y4m") == "y4m"
    assert written_format("a", "webm", "mp4") == "webm"
    assert written_format("-", None, "avi") == "mkv"
    with pytest.raises(ImageError, match=r"cannot write a video as \.png"):
        written_format("a.png", None, "mp4")


def test_the_start_of_what_cannot_be_read_is_nothing(tmp_path):
    assert (first_bytes(tmp_path), first_bytes(tmp_path / "gone")) == (b"", b"")
