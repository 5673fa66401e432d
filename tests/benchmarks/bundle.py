"""Put trained weights into the package, with the scores they were measured to have.

    python tests/benchmarks/deblur_sets.py --model runs/x/last.safetensors ... > scores.jsonl
    python tests/benchmarks/bundle.py runs/x/last.safetensors scores.jsonl PHOTO... [--note TEXT]

``denoise_sets.py`` measures a denoiser; what it says of other methods is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from restore_cli.engine.fused.network import fused
from restore_cli.imaging.reading import read_image
from restore_cli.weights.card import Score
from restore_cli.weights.catalog import BUNDLED
from restore_cli.weights.files import load_model, save_model

STEP = MARGIN = 8  # pixels
MEASURED = "PSNR and SSIM over all channels, float, fp32 on CPU; restore eval"


def score(row):
    return Score(
        dataset=row["set"],
        measured=MEASURED,
        psnr_in_db=round(row["psnr_in_db"], 2),
        psnr_out_db=round(row["psnr_out_db"], 2),
        ssim_in=round(row["ssim_in"], 4),
        ssim_out=round(row["ssim_out"], 4),
        pictures=row["pictures"],
    )


def context_needed(model, photo):
    """Return the pixels around a tile with which it comes out as in the whole image, to 1e-6.

    Args:
        model: with its trained weights.
        photo: a degraded one, (H, W, 3), of at least 480 pixels on each side.
    """
    x = torch.from_numpy(photo).permute(2, 0, 1)[None][..., :480, :480].contiguous()
    inner = slice(192, 288)
    network = fused(model)
    with torch.inference_mode():
        whole = network.at_one_scale(x)[0][..., inner, inner]
        for context in range(STEP, 192, STEP):
            around = slice(192 - context, 288 + context)
            tile = network.at_one_scale(x[..., around, around])[0]
            tile = tile[..., context:-context, context:-context]
            if (tile - whole).abs().max() <= 1e-6:
                return context
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("photos", type=Path, nargs="+", help="degraded ones, to measure context on")
    parser.add_argument("--note", default="")
    arguments = parser.parse_args()

    model, card = load_model(arguments.weights)
    rows = [json.loads(line) for line in arguments.scores.read_text().splitlines()]
    training = dict(card.training)
    if arguments.note:
        training["note"] = arguments.note
    # Of this file, and with a finite PSNR before: clean pictures have none.
    name = arguments.weights.name
    own = [row for row in rows if row.get("method", name) == name]
    scores = tuple(score(row) for row in own if row.get("psnr_in_db") is not None)
    contexts = [context_needed(model, read_image(path).pixels) for path in arguments.photos]
    # Some more than these needed, and nothing where one of them needed more than was tried.
    context = max(contexts) + MARGIN if all(contexts) else 0
    card = dataclasses.replace(card, scores=scores, training=training, context=context, sha256="")
    save_model(BUNDLED / f"{card.name}.safetensors", model, card)


if __name__ == "__main__":
    main()
