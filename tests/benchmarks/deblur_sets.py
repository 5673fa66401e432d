"""PSNR and SSIM of deblurring models on the public test sets, by what ``restore eval`` runs.

    python tests/benchmarks/deblur_sets.py --data FOLDER --kernels FOLDER [--model NAME ...]

FOLDER holds ``gopro_avg/``, ``gopro/`` and ``levin/`` with ``blur/`` and ``sharp/`` inside, and
``kodak24/clean/``. One line of JSON for each set and method:

- ``gopro_avg``, ``gopro``: ``restore eval --data gopro_avg``
- ``levin``: ``restore eval --data levin --align``
- sharp photos: ``restore eval --data gopro_avg --clean``
- ``kodak24 x kernels``: ``restore eval --data kodak24/clean --kernels FOLDER --noise 2``;
  ``--kernel-step`` takes fewer kernels, ``--rivals`` adds ``--sigma 2 --rival wiener --rival
  richardson-lucy``, which are told the kernel
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.eval.options import EvalOptions, MethodOptions
from restore_cli.jobs.eval.run import evaluate

NOISE_SIGMA_8BIT = 2.0


def results(arguments):
    data, kodak = arguments.data, arguments.data / "kodak24" / "clean"
    models = MethodOptions(models=arguments.model)
    engine = EngineOptions(device="cpu", precision="fp32")
    told = {"rivals": ["wiener", "richardson-lucy"], "sigmas_8bit": [NOISE_SIGMA_8BIT]}
    with_rivals = dataclasses.replace(models, **told) if arguments.rivals else models

    def rows(name, folder, methods=models, **others):
        for mean in evaluate(EvalOptions([folder], methods, engine=engine, **others)).means:
            yield mean.to_dict() | {"set": name, "method": Path(mean.method).name}

    yield from rows("gopro_avg", data / "gopro_avg")
    yield from rows("gopro", data / "gopro")
    yield from rows("levin", data / "levin", align=True)
    yield from rows("gopro_avg as it is", data / "gopro_avg", clean=True)
    yield from rows("kodak24 as it is", kodak, clean=True)
    if arguments.kernels:
        kernels = sorted(arguments.kernels.glob("*.npy"))[:: arguments.kernel_step]
        blur = {"kernels": kernels, "noise_sigma_8bit": NOISE_SIGMA_8BIT}
        yield from rows("kodak24 x kernels", kodak, with_rivals, **blur)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kernels", type=Path)
    parser.add_argument("--kernel-step", type=int, default=1)
    parser.add_argument("--model", nargs="*", default=["mprnet-wide-deblur"])
    parser.add_argument("--rivals", action="store_true", help="deconvolution told the kernel, too")
    for result in results(parser.parse_args()):
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
