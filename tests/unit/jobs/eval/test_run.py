from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from restore_cli.engine.options import EngineOptions
from restore_cli.engine.restorer import Restorer
from restore_cli.errors import ImageError, ResultError, UsageError, WeightsError
from restore_cli.imaging.reading import read_image
from restore_cli.jobs.eval import methods as module
from restore_cli.jobs.eval.methods import load_methods
from restore_cli.jobs.eval.options import EvalOptions, MethodOptions
from restore_cli.jobs.eval.pictures import Degrading, find_pictures
from restore_cli.jobs.eval.run import evaluate
from tests.unit.methods.test_onnx_session import network


def measured(data, *, how=None, precision="auto", **methods):
    engine = EngineOptions(device="cpu", precision=precision)
    chosen = MethodOptions(**methods)
    return evaluate(EvalOptions(data=[data], methods=chosen, engine=engine, **(how or {})))


def test_the_engine_is_measured_as_users_run_it(tmp_path, save, narrow_model_file):
    clean = save(tmp_path / "set" / "a.png", (40, 48, 3))
    path = tmp_path / "rows.csv"
    how = {"noise_sigma_8bit": 25, "csv": path}
    report = measured(tmp_path / "set", how=how, models=[str(narrow_model_file)], precision="fp32")
    noise = np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32) * (25 / 255)
    restored = Restorer(narrow_model_file, device="cpu", precision="fp32")(clean + noise)
    (row,) = report.rows
    for score, pixels in ((row.before, clean + noise), (row.after, restored)):
        theirs = peak_signal_noise_ratio(clean, pixels.clip(0, 1), data_range=1)
        assert score.psnr_db == pytest.approx(theirs, abs=1e-3)
        assert 0 < score.ssim < 1
    assert row.method == str(narrow_model_file)
    assert row.seconds > 0
    (facts,) = report.methods
    assert (facts.kind, facts.precision) == ("model", "fp32")
    assert len(facts.sha256) == 64
    assert path.read_text().splitlines()[1].startswith(f"{tmp_path / 'set'},a,")


def test_networks_are_told_the_noise(tmp_path, save):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    clean = save(tmp_path / "set" / "a.png", np.full((13, 20, 1), 100 / 255))
    told = network(tmp_path / "told.onnx", noise=[1])  # adds the level
    blind = network(tmp_path / "blind.onnx")
    report = measured(
        tmp_path / "set", how={"clean": True}, onnx=[told, blind], sigmas_8bit=[20, 40]
    )
    assert [row.method for row in report.rows] == [f"{told} at 20", f"{told} at 40", str(blind)]
    assert [row.after.psnr_db for row in report.rows[:2]] == pytest.approx(
        [-20 * math.log10(20 / 255), -20 * math.log10(40 / 255)], abs=1e-3
    )
    assert report.rows[2].before.psnr_db == report.rows[2].after.psnr_db == math.inf
    assert clean.shape == (13, 20, 1)  # padded to what networks take, grey in and out
    with pytest.raises(UsageError, match=r"needs to be told the noise \(with --sigma"):
        measured(tmp_path / "set", how={"clean": True}, onnx=[told])


def test_networks_are_padded_no_more_than_they_need(tmp_path, save):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    save(tmp_path / "set" / "a.png", (40, 40, 3))
    save(tmp_path / "set" / "b.png", (41, 43, 3))
    make = onnx.helper.make_node
    shape = ("n", 3, "h", "w")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xz"
    ]
    halves = [
        make("SpaceToDepth", ["x"], ["y"], blocksize=2),
        make("DepthToSpace", ["y"], ["z"], blocksize=2),
    ]
    graph = onnx.helper.make_graph(halves, "even sides only", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 18)
    file = tmp_path / "even.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), file)
    pictures = find_pictures(tmp_path / "set", Degrading(as_they_are=True))
    blind = network(tmp_path / "blind.onnx")
    methods = load_methods(
        MethodOptions(onnx=[file, blind]), EngineOptions(device="cpu"), [pictures]
    )
    for method, multiple_of in zip(methods, (2, 1), strict=True):
        even, odd = pictures.samples()
        method.prepare(odd)
        assert method._run.multiple_of == multiple_of
        for sample in (even, odd):
            np.testing.assert_array_equal(method(sample), sample.clean)


def test_without_onnx_runtime(pairs, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'restore-cli\[onnx\]'"):
        measured(pairs, onnx=[pairs / "a.onnx"])


def test_pictures_restored_elsewhere(tmp_path, pairs, save):
    ours = tmp_path / "ours"
    for name, file in (("a", "blur/a.png"), ("b", "b_deblur.png"), ("c", "c.tif")):
        save(ours / file, read_image(pairs / "sharp" / f"{name}.png").pixels)
    report = measured(pairs, restored=[ours, pairs / "blur"])
    best, same = report.means
    assert math.isinf(best.after.psnr_db)
    assert best.after.ssim == pytest.approx(1)
    assert (same.gain_db, same.s_per_megapixel) == (0, None)
    (ours / "c.tif").unlink()
    with pytest.raises(ImageError, match="holds no restored c"):
        measured(pairs, restored=[ours])
    assert len(measured(pairs, how={"limit": 2}, restored=[ours]).rows) == 2
    save(ours / "c.png", (24, 31, 3))
    with pytest.raises(ImageError, match=r"c\.png: is \(24, 31, 3\)"):
        measured(pairs, restored=[ours])


def test_names_without_folders_where_they_are_alone(tmp_path, save):
    for scene, name in (("one", "a"), ("two", "b")):
        for kind in ("blur", "sharp"):
            save(tmp_path / "set" / scene / kind / f"{name}.png")
        save(tmp_path / "ours" / f"{name}.png")
    assert len(measured(tmp_path / "set", restored=[tmp_path / "ours"]).rows) == 2
    for kind in ("blur", "sharp"):
        save(tmp_path / "set" / "two" / kind / "a.png")
    with pytest.raises(ImageError, match="holds no restored one/a"):
        measured(tmp_path / "set", restored=[tmp_path / "ours"])


def test_nonlocal_means_takes_noise_away(tmp_path, save):
    ramp = np.linspace(0.2, 0.8, 48)[None, :, None] * np.ones((40, 1, 3))
    save(tmp_path / "set" / "a.png", ramp)
    save(tmp_path / "set" / "b.png", ramp[..., :1])
    how = {"noise_sigma_8bit": 15}
    report = measured(tmp_path / "set", how=how, rivals=["nlm"], sigmas_8bit=[15])
    assert [row.method for row in report.rows] == ["nlm at 15"] * 2
    assert all(row.gain_db > 5 for row in report.rows)


def test_classical_deblurring_is_told_the_kernel(tmp_path, save, rng):
    squares = rng.uniform(0.2, 0.8, (5, 6, 3)).repeat(10, axis=0).repeat(10, axis=1)
    save(tmp_path / "set" / "a.png", squares)
    kernel = np.zeros((5, 5), np.float32)
    kernel[2, 1:4] = 0.25, 0.5, 0.25
    np.save(tmp_path / "line.npy", kernel)
    how = {"kernels": [tmp_path / "line.npy"], "noise_sigma_8bit": 1}
    rivals = ["wiener", "richardson-lucy"]
    report = measured(tmp_path / "set", how=how, rivals=rivals, sigmas_8bit=[1])
    assert [row.method for row in report.rows] == ["wiener at 1", "richardson-lucy"]
    assert all(row.gain_db > 2 for row in report.rows)


def test_aligned(tmp_path, save, rng):
    clean = rng.random((50, 60, 3))
    save(tmp_path / "set" / "sharp" / "a.png", clean)
    save(tmp_path / "set" / "blur" / "a.png", np.roll(clean, (2, -3), axis=(0, 1)))
    blur = tmp_path / "set" / "blur"
    assert measured(tmp_path / "set", restored=[blur]).rows[0].before.psnr_db < 12
    row = measured(tmp_path / "set", how={"align": True}, restored=[blur]).rows[0]
    assert math.isinf(row.before.psnr_db)
    assert (row.width, row.height) == (60, 50)
    save(tmp_path / "small" / "sharp" / "a.png", (30, 60, 3))
    save(tmp_path / "small" / "blur" / "a.png", (30, 60, 3))
    small = tmp_path / "small"
    with pytest.raises(ImageError, match="too small to align"):
        measured(small, how={"align": True}, restored=[small / "blur"])


def test_luma(tmp_path, save):
    grey = np.full((16, 16, 3), 100 / 255)
    save(tmp_path / "set" / "clean" / "a.png", grey)
    save(tmp_path / "set" / "noisy" / "a.png", grey + np.array([0, 0, 51 / 255]))
    noisy = tmp_path / "set" / "noisy"
    row = measured(tmp_path / "set", how={"luma": True}, restored=[noisy]).rows[0]
    assert row.before.psnr_db == pytest.approx(-20 * math.log10(0.2 * 24.966 / 255), abs=1e-2)


def test_tiny_pictures_have_no_ssim(tmp_path, save):
    save(tmp_path / "set" / "noisy" / "a.png", (10, 16, 3))
    save(tmp_path / "set" / "clean" / "a.png", (10, 16, 3))
    (row,) = measured(tmp_path / "set", restored=[tmp_path / "set" / "noisy"]).rows
    assert row.before.ssim is None


def test_the_default_is_the_tasks_model(pairs, monkeypatch):
    asked = []

    def no_model(task, model):
        asked.append((task, model))
        raise WeightsError("none")

    monkeypatch.setattr(module, "choose_model", no_model)
    for task in (None, "derain"):
        with pytest.raises(WeightsError):
            measured(pairs, task=task)
    assert asked == [("deblur", None), ("derain", None)]


def test_values_that_are_not_finite(pairs, monkeypatch):
    monkeypatch.setattr(module, "nonlocal_means", lambda pixels, sigma: pixels * np.nan)
    with pytest.raises(ResultError, match="a: nlm at 5 gave values that are not finite"):
        measured(pairs, rivals=["nlm"], sigmas_8bit=[5])


def test_several_sets_and_strays(tmp_path, pairs, save):
    save(pairs / "blur" / "stray.png")
    other = tmp_path / "other"
    save(other / "noisy" / "x.png")
    save(other / "clean" / "x.png")
    said, steps = [], []
    options = EvalOptions(
        data=[pairs, other, pairs], methods=MethodOptions(rivals=["nlm"], sigmas_8bit=[1, 2])
    )
    report = evaluate(options, steps.append, said.append)
    assert said == [f"{pairs}: 1 files without a partner are left out"]
    assert [mean.pictures for mean in report.means] == [3, 3, 1, 1]
    assert [(step.done, step.total) for step in steps] == [(done, 8) for done in range(9)]
    with pytest.raises(UsageError, match="goes with one --data"):
        evaluate(EvalOptions(data=[pairs, other], methods=MethodOptions(restored=[pairs])))


@pytest.mark.parametrize(
    "wrong",
    [
        {"clean": True, "noise_sigma_8bit": 5},
        {"luma": True, "grey": True},
        {"csv": "gone/rows.csv"},
    ],
)
def test_contradictions(tmp_path, pairs, wrong):
    if "csv" in wrong:
        wrong = {"csv": tmp_path / wrong["csv"]}
    with pytest.raises(UsageError):
        evaluate(EvalOptions(data=[pairs], **wrong))
