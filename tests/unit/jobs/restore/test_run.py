from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from restore_cli.errors import DeviceError, ImageError, ResultError, UsageError, WeightsError
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.restore.run import restore_files
from tests.options import restore_options


class FakeRestorer:
    """Darkens a little; remembers how it was made and what it saw."""

    made: list
    seen: list
    error = None

    def __init__(self, model, options, **keywords):
        self.made.append((model, dataclasses.asdict(options) | keywords))
        self.card = SimpleNamespace(name="narrow")
        self.device, self.precision = "cpu", "fp32"

    def __call__(self, pixels, progress=None):
        self.seen.append(pixels.shape)
        if self.error:
            raise self.error
        if progress:
            progress(1, 1)
        return pixels * np.float32(0.5)


@pytest.fixture(autouse=True)
def fake(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restore_cli.engine.restorer.Restorer", FakeRestorer)
    monkeypatch.setattr(FakeRestorer, "made", [], raising=False)
    monkeypatch.setattr(FakeRestorer, "seen", [], raising=False)
    monkeypatch.setattr(FakeRestorer, "error", None)
    return FakeRestorer


@pytest.fixture
def image_file(rng):
    def write(name, channels=3, **facts):
        image = Image(rng.random((70, 80, channels), dtype=np.float32), **facts)
        write_image(name, image)
        return name

    return write


@pytest.fixture
def restore(narrow_model_file):
    def run(*inputs, output=None, on_event=lambda _: None, **options):
        chosen = restore_options(model=str(narrow_model_file), **options)
        return restore_files(list(inputs), output, chosen, on_event)

    return run


def test_values(restore, image_file):
    report = restore(image_file("a.png"), output="b.png")
    before, after = read_image("a.png").pixels, read_image("b.png").pixels
    assert np.abs(after - before / 2).max() <= 0.5 / 255 + 1e-6
    assert (report.exit_code, report.model, report.device) == (0, "narrow", "cpu")
    (result,) = report.files
    assert (result.width, result.height, result.channels, result.depth) == (80, 70, 3, "uint8")


def test_options_are_handed_to_the_engine(restore, image_file, fake, narrow_model_file):
    options = {
        "device": "cpu",
        "precision": "fp32",
        "tile": 64,
        "overlap": 8,
        "pooling": "global",
        "tta": True,
        "strength": 0.5,
    }
    restore(image_file("a.png"), output="b.png", **options)
    assert fake.made == [(str(narrow_model_file), {**options, "check": True})]


def test_enhance_may_change_brightness(restore, image_file, fake):
    restore(image_file("a.png"), task="enhance")
    assert fake.made[0][1]["check"] is False


def test_a_model_for_another_task_is_used_with_a_note(restore, image_file):
    events = []
    report = restore(image_file("a.png"), task="derain", on_event=events.append)
    assert report.notes == ("this model is for deblur, not derain",)
    assert (events[0].kind, events[0].path, events[0].text) == ("note", "narrow", *report.notes)
    assert report.to_dict()["notes"] == list(report.notes)
    assert restore("a.png", task="deblur", overwrite=True).notes == ()


def test_upscale_enlarges_before_it_restores(restore, image_file, fake, rng):
    alpha = rng.random((70, 80, 1), dtype=np.float32)
    image_file("a.png", depth="uint16", alpha=alpha, metadata=Metadata(dpi=(300.0, 300.0)))
    report = restore("a.png", task="upscale", scale=3)
    (result,) = report.files
    assert (result.output, result.width, result.height) == ("a_upscale.png", 240, 210)
    assert fake.seen == [(210, 240, 3)]
    after = read_image("a_upscale.png")
    assert (after.depth, after.pixels.shape) == ("uint16", (210, 240, 3))
    assert after.metadata.dpi == pytest.approx((300, 300), rel=1e-3)
    # Pixels of the middle row keep their value: their centres are among the new ones.
    np.testing.assert_allclose(after.alpha[1::3, 1::3], alpha, atol=1e-4)


def test_an_image_too_large_when_enlarged_fails_before_the_network_runs(
    restore, image_file, fake, monkeypatch
):
    monkeypatch.setenv("RESTORE_MAX_PIXELS", "25000")
    (result,) = restore(image_file("a.png"), task="upscale", scale=2).files
    assert (result.output, result.status) == ("a_upscale.png", "done")
    report = restore("a.png", task="upscale", scale=3, overwrite=True)
    assert report.exit_code == 3
    assert str(report.failures[0]) == (
        "a.png: enlarged 3 times, 240×210 pixels (0 megapixels) are over the limit of 0 megapixels"
        " (try a smaller --scale, or set RESTORE_MAX_PIXELS=50400)"
    )
    assert len(fake.seen) == 1


def test_a_side_too_long_for_the_format_fails_before_the_network_runs(restore, fake):
    write_image("long.png", Image(np.zeros((3, 6000, 1), np.float32)))
    report = restore("long.png", task="upscale", scale=3, output="long.webp")
    assert report.exit_code == 3
    assert "WebP holds at most 16383 pixels a side" in str(report.failures[0])
    assert fake.seen == []


def test_the_model_is_loaded_once_and_only_for_a_readable_image(restore, image_file, fake):
    restore("gone.png")
    assert fake.made == []
    restore(image_file("a.png"), image_file("b.png"))
    assert len(fake.made) == 1


def test_one_bad_file_does_not_stop_the_others(restore, image_file, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    events = []
    report = restore("text.png", image_file("a.png"), "gone.png", on_event=events.append)
    assert [result.status for result in report.files] == ["failed", "done", "failed"]
    assert report.exit_code == 3
    assert (tmp_path / "a_deblur.png").exists()
    kinds = [event.kind for event in events]
    assert kinds == ["start", "failed", "start", "model", "tiles", "done", "start", "failed"]
    assert [(event.index, event.count) for event in events if event.kind == "start"] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [(ResultError("black"), 6), (DeviceError("too small"), 5), (MemoryError(), 5)],
)
def test_a_failed_result_is_not_written(restore, image_file, fake, tmp_path, error, code):
    fake.error = error
    report = restore(image_file("a.png"))
    assert report.exit_code == code
    assert report.failures[0].path == "a.png"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_failures_of_different_kinds_exit_with_3(restore, image_file, fake):
    fake.error = ResultError("black")
    assert restore(image_file("a.png"), "gone.png").exit_code == 3


def test_errors(restore, image_file, monkeypatch, fake):
    image_file("a.png")
    with pytest.raises(WeightsError):
        restore_files(["a.png"], None, restore_options(model="nope"))
    with pytest.raises(UsageError, match="cannot write the format 'gif'"):
        restore("a.png", format="gif")
    with pytest.raises(ImageError, match=r"cannot write \.xyz files"):
        restore("a.png", output="a.xyz")

    def refuse(*_args, **_options):
        raise DeviceError("absent")

    monkeypatch.setattr(fake, "__init__", refuse)
    with pytest.raises(DeviceError, match="absent"):
        restore("a.png")


def test_what_a_format_cannot_hold_fails_before_the_network_runs(restore, image_file, fake):
    report = restore(image_file("a.png"), output="b.jpg", bit_depth=16)
    assert report.exit_code == 2
    assert fake.seen == []


def test_derived_names_replace_with_overwrite_only(restore, image_file, tmp_path):
    image_file("a.png")
    (tmp_path / "a_deblur.png").write_bytes(b"old")
    assert restore("a.png").exit_code == 3
    assert (tmp_path / "a_deblur.png").read_bytes() == b"old"
    assert restore("a.png", overwrite=True).exit_code == 0
    assert (tmp_path / "a_deblur.png").read_bytes() != b"old"


def test_folders_are_made(restore, image_file, tmp_path):
    assert restore(image_file("a.png"), output="new/deep/").exit_code == 0
    assert (tmp_path / "new" / "deep" / "a_deblur.png").exists()


def test_in_place(restore, image_file, tmp_path):
    image_file("a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    before = read_image("a.png").pixels
    assert restore("link.png", in_place=True).exit_code == 0
    assert (tmp_path / "link.png").is_symlink()
    assert read_image("a.png").pixels.mean() < before.mean()


def test_format_follows_flag_then_suffix_then_source(restore, image_file, tmp_path):
    restore(image_file("a.png"), format="jpg")
    assert read_image("a_deblur.jpg").format == "jpeg"
    restore("a.png", output="b.webp")
    assert read_image("b.webp").format == "webp"
    restore("a.png", output="plain")
    assert read_image("plain").format == "png"


def test_a_name_that_says_nothing_is_no_obstacle(restore, image_file, tmp_path):
    (tmp_path / image_file("a.png")).rename("a.dat")
    assert restore("a.dat").exit_code == 0
    assert read_image("a_deblur.png").format == "png"


def test_depth_grey_and_alpha_survive(restore, image_file, rng):
    alpha = rng.random((70, 80, 1), dtype=np.float32)
    for name, channels, facts in [
        ("a.png", 1, {"depth": "uint16"}),
        ("b.tif", 3, {"depth": "float32"}),
        ("c.png", 3, {"alpha": alpha}),
    ]:
        restore(image_file(name, channels, **facts), output=f"out-{name}")
        before, after = read_image(name), read_image(f"out-{name}")
        assert (after.depth, after.pixels.shape) == (before.depth, before.pixels.shape)
        if before.alpha is not None:
            np.testing.assert_array_equal(after.alpha, before.alpha)


def test_notes_of_reading_and_writing_are_told(restore, image_file, rng):
    alpha = np.ones((70, 80, 1), np.float32)
    events = []
    report = restore(image_file("a.png", alpha=alpha), output="b.jpg", on_event=events.append)
    notes = [event.text for event in events if event.kind == "note"]
    assert notes == list(report.files[0].notes)
    assert any("alpha dropped" in note for note in notes)
