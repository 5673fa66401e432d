from __future__ import annotations

import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.video.colour import to_pixels
from restore_cli.imaging.video.containers import ContainerReader
from restore_cli.imaging.video.frames import Frame, FrameFormat, Passed, VideoHeader, layout_of
from restore_cli.imaging.video.muxing import carried_streams, container_writer, crf, encodable
from tests.unit.imaging.video.clips import frames_of, packets_of, times, write_clip


def copied(source_path, path, output, **options):
    """Write a video again with nothing changed but its container and its codec."""
    source = ContainerReader(str(source_path))
    try:
        header = encodable(source.header, output)
        with container_writer(str(path), output, header, source, **options) as writer:
            for item in source:
                writer.write(item)
    finally:
        source.close()
    return path


def test_what_is_read(tmp_path):
    path = write_clip(tmp_path / "a.mp4", aspect=Fraction(4, 3))
    source = ContainerReader(str(path))
    items = list(source)
    source.close()
    frames = [item for item in items if isinstance(item, Frame)]
    assert [frame.time for frame in frames] == times(8)[0]
    assert [frame.duration for frame in frames] == times(8)[1]
    assert sum(isinstance(item, Passed) for item in items) == len(packets_of(path, "audio"))
    header = source.header
    assert (header.frames, header.format.width, header.format.layout.name) == (8, 64, "yuv420p")
    assert (header.format.matrix, header.format.is_full_range) == ("bt601", False)
    assert (header.format.is_cosited, float(header.aspect)) == ((False, True), pytest.approx(4 / 3))
    assert source.notes == ()


def test_titles_in_an_unknown_encoding(tmp_path):
    path = write_clip(tmp_path / "a.mp4", count=2, sound=None)
    path.write_bytes(path.read_bytes().replace(b"stripes", b"str\xe9pes"))  # Latin-1
    source = ContainerReader(str(path))
    source.close()
    assert source.metadata["title"] == "str\N{REPLACEMENT CHARACTER}pes"


@pytest.mark.parametrize("output", ["mp4", "mkv", "mov"])
def test_pictures_times_and_sound_stay(tmp_path, output):
    before = write_clip(tmp_path / "a.mp4", turn=90, aspect=Fraction(4, 3))
    after = copied(before, tmp_path / f"b.{output}", output, quality=95)
    old, new = frames_of(before), frames_of(after)
    offset = new[0][0] - old[0][0]  # Matroska has no times below 0, where AAC begins
    assert 0 <= offset < 0.03
    np.testing.assert_allclose(
        [time - offset for time, _ in new], [time for time, _ in old], atol=0.0011
    )
    for (_, old_luma), (_, new_luma) in zip(old, new, strict=True):
        assert np.abs(old_luma.astype(int) - new_luma).mean() < 1
    old_sound, new_sound = packets_of(before, "audio"), packets_of(after, "audio")
    assert [data for _, data in new_sound] == [data for _, data in old_sound]
    assert new_sound[5][0] - old_sound[5][0] == pytest.approx(offset, abs=0.0011)
    with av.open(after) as file:
        video, sound = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.sample_aspect_ratio) == (
            "h264",
            pytest.approx(4 / 3),
        )
        assert file.metadata["title"] == "stripes"
        assert sound.metadata["language"] == "fra"
        frame = next(file.decode(video))
        assert (frame.rotation, frame.colorspace) == (90, 6)


def test_it_lasts_as_long(tmp_path):
    before = write_clip(tmp_path / "a.mp4", count=5, sound=None)
    after = copied(before, tmp_path / "b.mp4", "mp4")
    durations = []
    for path in (before, after):
        with av.open(path) as file:
            durations.append(file.streams.video[0].duration)
    assert durations[0] == durations[1] >= times(5)[0][-1] + 3600


def test_webm(tmp_path):
    before = write_clip(tmp_path / "a.mkv", sound="libopus", count=4)
    after = copied(before, tmp_path / "b.webm", "webm", strip_metadata=True)
    with av.open(after) as file:
        assert file.streams.video[0].codec_context.name == "vp9"
        assert file.streams.audio[0].codec_context.name == "opus"
        assert "title" not in file.metadata
    assert len(frames_of(after)) == 4


def test_ten_bits_stay(tmp_path):
    before = write_clip(tmp_path / "a.mkv", pix_fmt="yuv420p10le", count=2, sound=None)
    after = copied(before, tmp_path / "b.mp4", "mp4")
    with av.open(after) as file:
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
    source = ContainerReader(str(after))
    frame = next(item for item in source if isinstance(item, Frame))
    source.close()
    assert frame.planes[0].dtype == np.uint16
    assert 0.3 < to_pixels(frame.planes, source.header.format).mean() < 0.7


def test_subtitles(tmp_path):
    before = write_clip(tmp_path / "a.mkv", subtitles="hello", count=3)
    after = copied(before, tmp_path / "b.mkv", "mkv")
    assert [data for _, data in packets_of(after, "subtitle")] == [b"hello"]
    source = ContainerReader(str(before))
    kept, notes = carried_streams(source, "mp4")
    source.close()
    assert (len(kept), notes) == (1, ["subtitles are left out: MP4 cannot hold subrip"])


def test_lossless_codecs_of_other_layouts_are_read(tmp_path):
    for pix_fmt, expected in (("rgb24", "rgb24"), ("nv12", "yuv420p"), ("yuyv422", "yuv422p")):
        path = write_clip(
            tmp_path / f"{pix_fmt}.nut", codec="rawvideo", pix_fmt=pix_fmt, count=2, sound=None
        )
        source = ContainerReader(str(path))
        frames = list(source)
        source.close()
        format = source.header.format
        assert (format.layout.name, len(frames)) == (expected, 2)
        assert [plane.shape for plane in frames[0].planes] == list(format.plane_shapes)


@pytest.mark.parametrize(
    ("name", "output", "expected"),
    [
        ("yuv420p", "mp4", "yuv420p"),
        ("yuv444p10le", "mkv", "yuv444p10le"),
        ("yuv422p12le", "mp4", "yuv422p10le"),
        ("yuv411p", "mp4", "yuv422p"),
        ("rgb24", "mp4", "yuv420p"),
        ("rgb48le", "mov", "yuv420p10le"),
        ("gray", "mp4", "gray"),
        ("gray16le", "mp4", "yuv420p10le"),
        ("yuv420p", "webm", "yuv420p"),
    ],
)
def test_the_nearest_layout_is_encoded(name, output, expected):
    header = VideoHeader(FrameFormat(layout_of(name), 16, 16, is_full_range=True))
    format = encodable(header, output).format
    assert format.layout.name == expected
    # Sizes that need not be even, and grey and colours that were never limited.
    assert format.is_full_range is (layout_of(name).kind == "yuv" or name == expected)


def test_crf():
    assert [crf("libx264", q) for q in (None, 1, 100)] == [18, 50, 1]
    assert [crf("libvpx-vp9", q) for q in (None, 1, 100)] == [23, 62, 3]


def test_errors(tmp_path, monkeypatch):
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(ImageError, match="cannot read the video: invalid data"):
        ContainerReader(str(tmp_path / "text.mp4"))
    odd = VideoHeader(FrameFormat(layout_of("yuv420p"), 15, 16))
    with pytest.raises(ImageError, match="MP4 takes no 15×16 in yuv420p"):
        encodable(odd, "mp4")
    assert encodable(odd, "webm") == odd
    source = ContainerReader(str(write_clip(tmp_path / "a.mp4", count=2)))
    with pytest.raises(ImageError, match="WebM cannot hold sound in aac"):
        carried_streams(source, "webm")
    assert carried_streams(source, "y4m")[1] == ["sound is left out: Y4M holds none"]
    source.close()
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install 'restore-cli\[video\]'"):
        ContainerReader("a.mp4")


def test_damage_in_the_middle_is_skipped(tmp_path):
    path = write_clip(
        tmp_path / "a.mkv",
        count=9,
        codec="mjpeg",
        pix_fmt="yuvj420p",
        sound=None,
        is_variable=False,
    )
    pictures = path.read_bytes().split(b"\xff\xd8\xff")
    pictures[4] = bytes(len(pictures[4]) - 40) + pictures[4][-40:]  # the next one's header
    path.write_bytes(b"\xff\xd8\xff".join(pictures))
    source = ContainerReader(str(path))
    frames = list(source)
    source.close()
    assert len(frames) == 8
    assert source.notes == ("damaged packets skipped: 1",)
    assert source.header.format.is_full_range


def test_a_file_that_was_cut_off(tmp_path):
    path = write_clip(tmp_path / "a.mkv", count=30, size=(320, 240), sound=None)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = ContainerReader(str(path))
    frames = list(source)  # as players do, to where it ends
    source.close()
    assert 3 < len(frames) < 30
    assert "the file is cut off: it ends after 0." in source.notes[-1]
    path = write_clip(tmp_path / "b.mp4", count=5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match="cannot read the video"):
        ContainerReader(str(path))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("sound", [None, "aac"])
def test_whole_files_are_not_called_cut_off(tmp_path, name, sound):
    source = ContainerReader(str(write_clip(tmp_path / name, count=30, sound=sound)))
    assert source.notes == ()
    assert len([item for item in source if not isinstance(item, Passed)]) == 30
    source.close()
    assert source.notes == ()


def test_a_cut_mp4_says_so(tmp_path):
    path = write_clip(tmp_path / "a.mp4", count=30, size=(320, 240), sound=None, faststart=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    source = ContainerReader(str(path))
    assert source.notes == ()  # nobody knows yet
    assert 3 < len(list(source)) < 30
    source.close()
    assert "the file is cut off: it ends after" in source.notes[-1]


def test_nothing_is_left_of_what_fails(tmp_path):
    source = write_clip(tmp_path / "a.mp4", count=3)

    def fail():
        reader = ContainerReader(str(source))
        header = encodable(reader.header, "mp4")
        with container_writer(str(tmp_path / "b.mp4"), "mp4", header, reader) as writer:
            for item in reader:
                writer.write(item)
                if isinstance(item, Frame):
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
