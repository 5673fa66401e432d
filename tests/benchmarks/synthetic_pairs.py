r"""Write the held-back photos of a recipe as degraded and clean pairs, for ``restore eval``.

    python tests/benchmarks/synthetic_pairs.py mimo-unet-derain --photos FOLDER --output pairs/ \
        --without dry_share
    restore eval --data pairs --task derain

``--without`` sets a share of the recipe's degradation to 0: photos that are left clean have no
finite PSNR. They are the photos that a run with this recipe and this folder never sees, larger than
in its own validation, each degraded twice, with seeds of their own.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np
import torch

from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image
from restore_cli.training.config import load_recipe
from restore_cli.training.sources import check_data, hold_back, sources_of

SHOTS = 2


def pairs(chain, photo, name, side):
    """Yield (degraded, clean) of the centre of a photo, each (H, W, 3) in [0, 1]."""
    multiple = max(chain.multiple_of, 8)
    room = min(*photo.shape[:2], side + 2 * chain.margin) - 2 * chain.margin
    size = room // multiple * multiple + 2 * chain.margin
    top, left = ((length - size) // 2 for length in photo.shape[:2])
    square = np.ascontiguousarray(photo[top : top + size, left : left + size])
    square = torch.from_numpy(square).permute(2, 0, 1)[None]
    for shot in range(SHOTS):
        generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {shot}".encode()))
        yield [image[0].permute(1, 2, 0).numpy() for image in chain(square, generator)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--without", nargs="*", default=[])
    arguments = parser.parse_args()
    shares = {f"degradation.{name}": 0.0 for name in arguments.without}
    recipe = load_recipe(arguments.recipe, shares)
    _, held_back = hold_back(
        sources_of(check_data(arguments.photos), recipe), recipe.validation.share
    )
    for folder in ("input", "target"):
        (arguments.output / folder).mkdir(parents=True, exist_ok=True)
    for path in held_back:
        photo = read_image(path).pixels
        shots = pairs(recipe.degradation, photo, path.name, arguments.side)
        for shot, (degraded, clean) in enumerate(shots):
            for folder, pixels in (("input", degraded), ("target", clean)):
                image = Image(np.ascontiguousarray(pixels))
                write_image(arguments.output / folder / f"{path.stem}_{shot}.png", image)


if __name__ == "__main__":
    main()
