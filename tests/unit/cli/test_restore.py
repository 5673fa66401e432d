from __future__ import annotations

import json

import pytest

from restore_cli.cli import app as module
from restore_cli.errors import ImageError
from restore_cli.jobs.restore.report import FileResult, RestoreReport
from tests.options import restore_options

DONE = FileResult("a.png", "b.png", "done", 4, 2, 3, "uint8", seconds=1.5)
FAILED = FileResult("c.png", "d.png", "failed", error=ImageError("bad", path="c.png"))


@pytest.fixture
def job(monkeypatch, tmp_path):
    """Replaces the job; holds its calls and what it is to report."""

    class Job:
        def __init__(self):
            self.calls = []
            self.files = (DONE,)

        def __call__(self, inputs, output, options, on_event):
            self.calls.append((inputs, output, options))
            return RestoreReport(
                task=options.task,
                model="m",
                device="cpu",
                precision="fp32",
                tile=str(options.engine.tile),
                files=self.files,
                dry_run=options.dry_run,
            )

    job = Job()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("restore_cli.jobs.restore.run.restore_files", job)
    return job


SCALES = {"deblur": 1, "denoise": 1, "derain": 1, "enhance": 1, "upscale": 2}


@pytest.mark.parametrize("task", SCALES)
def test_defaults(job, task):
    assert module.run([task, "a.png"]) == 0
    assert job.calls == [(["a.png"], None, restore_options(task=task, scale=SCALES[task]))]


@pytest.mark.parametrize("task", SCALES)
def test_each_command_hands_its_options_to_the_job(job, task):
    flags = (
        "--output out/ --model m.safetensors --device cuda:1 --precision bf16 --tile 256"
        " --overlap 32 --pooling global --max-memory 1.5G --tta --strength 0.5 --format webp"
        " --quality 80"
        " --bit-depth 16 --strip-metadata --overwrite --in-place --dry-run"
    )
    assert module.run([task, "a.png", "-", *flags.split()]) == 0
    expected = restore_options(
        task=task,
        scale=SCALES[task],
        model="m.safetensors",
        device="cuda:1",
        precision="bf16",
        tile=256,
        overlap=32,
        pooling="global",
        max_memory_bytes=1536 * 2**20,
        tta=True,
        strength=0.5,
        format="webp",
        quality=80,
        bit_depth=16,
        strip_metadata=True,
        overwrite=True,
        in_place=True,
        dry_run=True,
    )
    assert job.calls == [(["a.png", "-"], "out/", expected)]


def test_upscale_takes_a_scale(job, monkeypatch, tmp_path):
    module.run(["upscale", "a.png", "--scale", "4"])
    monkeypatch.setenv("RESTORE_SCALE", "3")
    module.run(["upscale", "a.png"])
    module.run(["deblur", "a.png"])
    monkeypatch.delenv("RESTORE_SCALE")
    (tmp_path / "restore.toml").write_text("scale = 4")
    module.run(["upscale", "a.png"])
    module.run(["deblur", "a.png"])
    assert [call[2].scale for call in job.calls] == [4, 3, 1, 4, 1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["upscale", "a.png", "--scale", "5"],
            "error: Invalid value for '--scale': Input should be less than or equal to 4"
            " (see restore upscale --help)",
        ),
        (
            ["deblur", "a.png", "--scale", "2"],
            "error: No such option: --scale (Possible options: --size, --tile)"
            " (see restore deblur --help)",
        ),
        (
            ["derain", "a.png", "--pooling", "max"],
            "error: Invalid value for '--pooling': 'max' is not one of 'auto', 'local', 'global'"
            " (see restore derain --help)",
        ),
        (
            ["deblur", "a.png", "--max-memory", "much"],
            "error: Invalid value for '--max-memory': 'much' is no size such as 800M or 1.5G"
            " (see restore deblur --help)",
        ),
        (
            ["enhance"],
            "error: no input: name images, or - for standard input (for example:"
            " restore enhance photo.jpg; more in restore enhance --help)",
        ),
    ],
)
def test_usage_errors(job, capsys, arguments, line):
    assert module.run(arguments) == 2
    assert capsys.readouterr().err.splitlines() == [line]
    assert job.calls == []


def test_pooling_may_be_a_setting(job, monkeypatch, tmp_path):
    (tmp_path / "restore.toml").write_text('[derain]\npooling = "global"')
    module.run(["derain", "a.png"])
    module.run(["deblur", "a.png"])
    monkeypatch.setenv("RESTORE_POOLING", "local")
    module.run(["derain", "a.png"])
    assert [call[2].engine.pooling for call in job.calls] == ["global", "auto", "local"]


def test_flags_beat_the_environment_which_beats_files(job, monkeypatch, tmp_path):
    (tmp_path / "restore.toml").write_text("tile = 128\noverlap = 8\nstrength = 0.25\ntta = true")
    monkeypatch.setenv("RESTORE_TILE", "256")
    monkeypatch.setenv("RESTORE_OVERLAP", "16")
    assert module.run(["deblur", "a.png", "--tile", "512"]) == 0
    options = job.calls[0][2]
    assert (options.engine.tile, options.engine.overlap, options.engine.strength) == (512, 16, 0.25)
    assert options.engine.tta


def test_the_exit_code_is_the_reports(job):
    job.files = (DONE, FAILED)
    assert module.run(["deblur", "a.png", "c.png"]) == 3


def test_json_is_the_report(job, capsys):
    job.files = (DONE, FAILED)
    module.run(["deblur", "a.png", "c.png", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["exit_code"] == 3
    assert [result["status"] for result in report["files"]] == ["done", "failed"]
    assert report["files"][1]["error"]["what"] == "bad"


@pytest.mark.parametrize("arguments", [["a.png", "-o", "-"], ["-"]])
def test_json_goes_to_stderr_when_the_image_takes_stdout(job, capsys, arguments):
    module.run(["deblur", *arguments, "--json"])
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["model"] == "m"


def test_a_dry_run_says_what_would_be_done(job, capsys):
    large = FileResult(
        "d.tif", "e.tif", "planned", 20000, 10000, in_parts=True, tiles="9 of 4x2",
        predicted_s=480.4, predicted_peak_bytes=1300 * 2**20,
    )  # fmt: skip
    job.files = (FileResult("a.png", "b.png", "planned", 8, 4, predicted_s=2.56), large, FAILED)
    module.run(["deblur", "a.png", "d.tif", "c.png", "--dry-run"])
    assert capsys.readouterr().out.splitlines() == [
        "a.png -> b.png (8x4, about 2.6 s)",
        "d.tif -> e.tif (20000x10000, tiles: 9 of 4x2, in parts, about 480 s, peak 1300 MiB)",
        "c.png: would fail: bad",
        "model m, device cpu, precision fp32, tile auto",
    ]


def test_several_files_are_summed_up(job, capsys):
    job.files = (DONE, FAILED)
    module.run(["deblur", "a.png", "c.png"])
    assert capsys.readouterr().err == "1 restored, 1 failed, 0.0 s\n"
