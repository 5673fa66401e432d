from __future__ import annotations

import csv
import io
import json
import math

import pytest

from restore_cli.jobs.eval.report import EvalReport, MethodFacts, Row, Score, Step, as_csv


def row(picture="a", method="m", before=20.0, after=25.0, ssim=0.5, seconds=1.0, set="s"):
    scores = Score(before, ssim), Score(after, None if ssim is None else ssim + 0.1)
    return Row(set, picture, method, 1000, 500, *scores, seconds)


def report(*rows):
    return EvalReport("cpu", 2, "2.13", {"limit": None}, (MethodFacts("m", "model"),), rows)


def test_means():
    rows = [
        row(seconds=1.0),
        row(method="n", after=30.0, seconds=None),
        row("b", before=22.0, after=24.0, ssim=0.7, seconds=9.0),
        row("c", before=24.0, after=35.0, ssim=None, seconds=2.0),
        row(set="t"),
    ]
    first, other, apart = report(*rows).means
    assert (first.set, first.method, first.pictures) == ("s", "m", 3)
    assert (first.before.psnr_db, first.after.psnr_db, first.gain_db) == (22, 28, 6)
    assert first.before.ssim == pytest.approx(0.6)  # of those that have one
    assert first.least_db == 24
    assert first.s_per_megapixel == 4  # the median, half a megapixel each
    assert (other.method, other.s_per_megapixel) == ("n", None)
    assert (apart.set, apart.pictures) == ("t", 1)


def test_equal_pictures_have_no_number_in_json():
    equal = row(before=math.inf, after=math.inf, ssim=None)
    values = json.loads(json.dumps(report(equal, row("b")).to_dict(), allow_nan=False))
    assert values["pictures"][0]["psnr_in_db"] is None
    assert values["pictures"][0]["gain_db"] is None
    assert values["pictures"][1]["gain_db"] == 5
    assert values["means"][0]["psnr_out_db"] is None
    assert values["means"][0]["least_db"] == 25
    assert values["methods"] == [{"method": "m", "kind": "model"}]
    assert Step(0, 2).to_dict() == {"event": "start", "done": 0, "total": 2}
    assert Step(1, 2, equal).to_dict()["psnr_out_db"] is None


def test_csv():
    text = as_csv([row('odd, "name"'), row(before=math.inf, seconds=None)])
    first, second = csv.DictReader(io.StringIO(text))
    assert first["picture"] == 'odd, "name"'
    assert (first["gain_db"], first["s_per_megapixel"]) == ("5.0", "2.0")
    assert (second["psnr_in_db"], second["gain_db"], second["seconds"]) == ("inf", "-inf", "")
