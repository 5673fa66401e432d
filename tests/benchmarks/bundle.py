"""Put trained weights into the package, with the scores they were measured to have.

python tests/benchmarks/deblur_sets.py --model runs/x/last.safetensors ... > scores.jsonl
python tests/benchmarks/bundle.py runs/x/last.safetensors scores.jsonl [--note TEXT]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from restore_cli.weights.card import Score
from restore_cli.weights.catalog import BUNDLED
from restore_cli.weights.files import load_model, save_model

MEASURED = "PSNR and SSIM over all channels, float, fp32 on CPU; tests/benchmarks/deblur_sets.py"


def score(row):
    return Score(
        dataset=row["set"],
        measured=MEASURED,
        psnr_in_db=row["psnr_in_db"],
        psnr_out_db=row["psnr_out_db"],
        ssim_in=row["ssim_in"],
        ssim_out=row["ssim_out"],
        pictures=row["pictures"],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--note", default="")
    arguments = parser.parse_args()

    model, card = load_model(arguments.weights)
    rows = [json.loads(line) for line in arguments.scores.read_text().splitlines()]
    training = dict(card.training)
    if arguments.note:
        training["note"] = arguments.note
    scores = tuple(score(row) for row in rows if "psnr_in_db" in row)
    card = dataclasses.replace(card, scores=scores, training=training, sha256="")
    save_model(BUNDLED / f"{card.name}.safetensors", model, card)


if __name__ == "__main__":
    main()
