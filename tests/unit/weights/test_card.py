import json

import pytest

from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard, Score

SCORE = Score("samples", "RGB, whole images, fp32", 25.5, 28.25, 0.8, 0.9, 24)
CARD = ModelCard(
    name="mimo-unet-deblur",
    architecture="mimo-unet",
    config={"width": 32, "blocks": 8, "dropout": 0.0},
    task="deblur",
    summary="camera shake of up to 40 px, “größer”",
    licence="Apache-2.0",
    version="3",
    training={"recipe": "ours", "hours": 2.5, "data": ["a", "b"], "resumed": False},
    scores=(SCORE, SCORE),
    sha256="ab" * 32,
)

TOML = """
name = "mimo-unet-deblur"
architecture = "mimo-unet"
task = "deblur"
summary = "sharp"
licence = "Apache-2.0"
version = "1"
[config]
width = 32
[[scores]]
dataset = "samples"
measured = "RGB"
psnr_in_db = 25
psnr_out_db = 28.25
ssim_in = 0.8
ssim_out = 0.9
pictures = 24
"""


def test_json_there_and_back_is_the_same():
    assert ModelCard.from_json(CARD.to_json()) == CARD


def test_toml_gives_a_card(tmp_path):
    (tmp_path / "card.toml").write_text(TOML)
    card = ModelCard.from_toml(tmp_path / "card.toml")
    assert (card.name, card.config, card.sha256) == ("mimo-unet-deblur", {"width": 32}, "")
    assert card.scores[0].psnr_out_db == 28.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"task": None}, "'task' has the wrong type"),
        ({"config": []}, "'config' has the wrong type"),
        ({"scores": [{"dataset": "x"}]}, "score has no field 'measured'"),
        ({"scores": ["x"]}, "score is not a table"),
        ({"scores": [{**json.loads(CARD.to_json())["scores"][0], "pictures": 1.5}]}, "'pictures'"),
        ({"version": True}, "'version' has the wrong type"),
    ],
)
def test_errors(change, message):
    values = {**json.loads(CARD.to_json()), **change}
    with pytest.raises(WeightsError, match=message):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "x"}'])
def test_text_that_is_no_card(text):
    with pytest.raises(WeightsError):
        ModelCard.from_json(text)


def test_a_missing_field_is_named():
    values = json.loads(CARD.to_json())
    del values["licence"]
    with pytest.raises(WeightsError, match="no field 'licence'"):
        ModelCard.from_json(json.dumps(values))


def test_toml_errors_name_the_file(tmp_path):
    path = tmp_path / "card.toml"
    for text in (None, "name = ", "name = 'x'"):
        if text is not None:
            path.write_text(text)
        with pytest.raises(WeightsError, match=r"card\.toml"):
            ModelCard.from_toml(path)
