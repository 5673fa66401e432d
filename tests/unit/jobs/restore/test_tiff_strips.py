from __future__ import annotations

import numpy as np
import pytest
import tifffile

from restore_cli.engine.restorer import Restorer
from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.options import EncodingOptions
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import encode_with_notes
from restore_cli.jobs.restore import tiff_strips as module
from restore_cli.jobs.restore.tiff_strips import PreparedSource, open_tiff, restore_strips
from restore_cli.jobs.restore.whole_image import restore_image

HEIGHT, WIDTH = 330, 410


@pytest.fixture(scope="module")
def restorer(narrow_model_file):
    return Restorer(narrow_model_file, device="cpu", precision="fp32", tile=160)


@pytest.fixture
def file(tmp_path, rng):
    """Write noise, changed by a function, as a TIFF of small strips or tiles."""

    def write(change=lambda samples: samples, kind="uint16", channels=3, **options):
        samples = rng.random((HEIGHT, WIDTH, channels), dtype=np.float32)
        samples = change(samples)
        if kind != "float32":
            samples = np.rint(samples * np.iinfo(kind).max).astype(kind)
        if channels in (2, 4):
            options = {"extrasamples": ["unassalpha"], **options}
        path = tmp_path / "in.tif"
        options = {"compression": "zlib", "rowsperstrip": 20, **options}
        photometric = "rgb" if channels > 2 else "minisblack"
        samples = samples[..., 0] if channels == 1 else samples
        planar = {} if channels == 1 else {"planarconfig": "contig"}
        tifffile.imwrite(path, samples, photometric=photometric, metadata=None, **planar, **options)
        return path

    return write


def assert_streams_as_the_whole(path, restorer, **how):
    whole = restore_image(read_image(path), restorer)
    data, notes = encode_with_notes(whole, format="tiff", **how)
    target = path.with_name("out.tif")
    with open_tiff(path) as reader:
        assert restore_strips(reader, restorer.stream, target, EncodingOptions(**how)) == (
            *whole.notes,
            *notes,
        )
    assert target.read_bytes() == data


def hdr(samples):
    samples[100:120, 30:50] = np.nan
    samples[0, 0, 1] = np.inf
    samples[200:203, 7] = -0.5
    samples[300, 400] = 7.25
    return samples


def pierced(samples):
    """Alpha with an inner hole, a hole wider than colour is carried, and some in between."""
    samples[50:70, 60:90, -1] = 0
    samples[:, 100:, -1] = 0
    samples[150:300, 20:60, -1] = 0.4
    return samples


@pytest.mark.parametrize("layout", [{}, {"tile": (64, 48), "rowsperstrip": None}])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_values(file, restorer, kind, channels, layout):
    assert_streams_as_the_whole(file(kind=kind, channels=channels, **layout), restorer)


@pytest.mark.parametrize("bit_depth", [8, 16, 32])
def test_another_depth_without_metadata(file, restorer, bit_depth):
    path = file(resolution=(300, 300))
    assert_streams_as_the_whole(path, restorer, bit_depth=bit_depth, strip_metadata=True)


def test_values_out_of_range(file, restorer):
    path = file(hdr, "float32")
    assert_streams_as_the_whole(path, restorer)
    with open_tiff(path) as reader:
        values = PreparedSource(reader).values
    assert (values.holes, values.negatives, values.peak) == (401, 3, 7.25)


@pytest.mark.parametrize(
    ("kind", "channels", "alpha"),
    [
        ("uint16", 4, "unassalpha"),
        ("uint8", 2, "unassalpha"),
        ("uint16", 4, "assocalpha"),
        ("float32", 4, "unassalpha"),
    ],
)
def test_transparency(file, restorer, kind, channels, alpha):
    assert_streams_as_the_whole(file(pierced, kind, channels, extrasamples=[alpha]), restorer)


def test_holes_under_transparency(file, restorer, monkeypatch):
    monkeypatch.setattr(module, "_SURVEY_SIDE", 150)
    path = file(lambda samples: hdr(pierced(samples)), "float32", 4)
    assert_streams_as_the_whole(path, restorer)


def test_nothing_but_transparency(file, restorer):
    def hidden(samples):
        samples[..., -1] = 0
        return samples

    assert_streams_as_the_whole(file(hidden, "uint16", 4), restorer)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_orientation(file, restorer, orientation):
    tag = (274, 3, 1, orientation, True)
    assert_streams_as_the_whole(file(extratags=[tag]), restorer)


def test_strength_and_views(file, narrow_model_file):
    path = file()
    for options in ({"strength": 0.5}, {"strength": 0.0}, {"tta": True}):
        chosen = {"device": "cpu", "precision": "fp32", "tile": 160, **options}
        assert_streams_as_the_whole(path, Restorer(narrow_model_file, **chosen))


def test_rows_are_finished_in_small_parts(file, restorer, monkeypatch):
    monkeypatch.setattr(module, "_FINISHED_BYTES", 13 * WIDTH * 3 * 4)
    assert_streams_as_the_whole(file(), restorer)


def test_progress_is_told(file, restorer):
    path = file()
    calls = []
    with open_tiff(path) as reader:
        restore_strips(
            reader, restorer.stream, path, EncodingOptions(), lambda *call: calls.append(call)
        )
    assert calls[-1] == (len(calls), len(calls)) == (restorer.plan(HEIGHT, WIDTH)[0][0].count,) * 2


def test_the_input_may_be_replaced(file, restorer):
    path = file()
    expected = restore_image(read_image(path), restorer).pixels
    with open_tiff(path) as reader:
        restore_strips(reader, restorer.stream, path, EncodingOptions())
    np.testing.assert_allclose(read_image(path).pixels, expected, atol=0.51 / 65535)


def test_what_is_no_stream(tmp_path):
    (tmp_path / "text.tif").write_text("no image")
    (tmp_path / "empty.tif").write_bytes(b"")
    for name in ("text.tif", "empty.tif", "gone.tif"):
        assert open_tiff(tmp_path / name) is None


def test_errors(file, restorer, tmp_path):
    path = file()
    target = tmp_path / "out.tif"
    with open_tiff(path) as reader:
        with pytest.raises(UsageError, match="cannot hold 12 bits"):
            restore_strips(reader, restorer.stream, target, EncodingOptions(bit_depth=12))
        at = reader._page.dataoffsets[-1]
    data = bytearray(path.read_bytes())
    data[at : at + 50] = bytes(50)
    path.write_bytes(data)
    with open_tiff(path) as reader, pytest.raises(ImageError, match=r"in\.tif: damaged TIFF"):
        restore_strips(reader, restorer.stream, target, EncodingOptions())
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.tif"]
