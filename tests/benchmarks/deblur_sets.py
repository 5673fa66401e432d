"""PSNR and SSIM of a deblurring model on the public test sets, by what ``restore eval`` runs.

    python tests/benchmarks/deblur_sets.py --data FOLDER --kernels FOLDER [--model NAME]

FOLDER holds ``gopro_avg/``, ``gopro/`` and ``levin/`` with ``blur/`` and ``sharp/`` inside, and
``kodak24/clean/``. One line of JSON for each set:

- ``gopro_avg``, ``gopro``: ``restore eval --data gopro_avg``
- ``levin``: ``restore eval --data levin --align``
- ``sharp``: ``restore eval --data gopro_avg --data kodak24/clean --clean``; of the output only
- ``kodak24 x kernels``: ``restore eval --data kodak24/clean --kernels FOLDER --noise 2``;
  ``--kernel-step`` takes fewer kernels
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from restore_cli.jobs.eval.methods import MethodOptions
from restore_cli.jobs.eval.run import EvalOptions, evaluate

NOISE_SIGMA_8BIT = 2.0


def mean_of(name, options):
    (mean,) = evaluate(options).means
    return {
        "set": name,
        "pictures": mean.pictures,
        "psnr_in_db": round(mean.before.psnr_db, 2),
        "psnr_out_db": round(mean.after.psnr_db, 2),
        "gain_db": round(mean.gain_db, 2),
        "ssim_in": round(mean.before.ssim, 4),
        "ssim_out": round(mean.after.ssim, 4),
        "s_per_megapixel": round(mean.s_per_megapixel, 2),
    }


def sharp_kept(options):
    values = [row.after.psnr_db for row in evaluate(options).rows]
    return {
        "set": "sharp",
        "pictures": len(values),
        "psnr_out_db": round(statistics.fmean(values), 2),
        "least_db": round(min(values), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kernels", type=Path)
    parser.add_argument("--kernel-step", type=int, default=1)
    parser.add_argument("--model", default="mimo-unet-deblur")
    arguments = parser.parse_args()
    data, kodak = arguments.data, arguments.data / "kodak24" / "clean"

    def options(*folders, **others):
        methods = MethodOptions(models=[arguments.model], device="cpu")
        return EvalOptions(data=folders, methods=methods, **others)

    def results():
        yield mean_of("gopro_avg", options(data / "gopro_avg"))
        yield mean_of("gopro", options(data / "gopro"))
        yield mean_of("levin", options(data / "levin", align=True))
        yield sharp_kept(options(data / "gopro_avg", kodak, clean=True))
        if arguments.kernels:
            kernels = sorted(arguments.kernels.glob("*.npy"))[:: arguments.kernel_step]
            blurred = options(kodak, kernels=kernels, noise_sigma_8bit=NOISE_SIGMA_8BIT)
            yield mean_of("kodak24 x kernels", blurred)

    for row in results():
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
