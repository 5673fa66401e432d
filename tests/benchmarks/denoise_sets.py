"""PSNR and SSIM of denoisers on the public test sets, by what ``restore eval`` runs.

    python tests/benchmarks/denoise_sets.py --data FOLDER [--model NAME ...] [--onnx FILE ...]

FOLDER holds ``cbsd68/clean``, ``kodak24/clean``, ``mcmaster/clean``, ``cc15`` and ``polyu``. One
line of JSON for each set and method; networks that ask for the level of noise are told the true
one, on camera pictures each of ``CAMERA_LEVELS``:

- noise: ``restore eval --data cbsd68/clean --noise 25 --sigma 25 --onnx FILE -m NAME``
- cameras: ``restore eval --data cc15 --data polyu --sigma 5 --sigma 10 --sigma 15 --rival nlm``
- clean: ``restore eval --data kodak24/clean --clean``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.eval.options import EvalOptions, MethodOptions
from restore_cli.jobs.eval.run import evaluate

NOISY = {15: ["cbsd68"], 25: ["cbsd68", "kodak24", "mcmaster"], 50: ["cbsd68"]}
CAMERAS = ["cc15", "polyu"]
CAMERA_LEVELS = (5.0, 10.0, 15.0)


def row(mean, name):
    return mean.to_dict() | {"set": name, "method": Path(mean.method).name}


def results(arguments):
    def methods(levels):
        return MethodOptions(
            models=arguments.model,
            onnx=arguments.onnx,
            rivals=["nlm"] if arguments.nlm else (),
            sigmas_8bit=levels if arguments.onnx or arguments.nlm else (),
        )

    def measured(folder, methods, **others):
        engine = EngineOptions(device="cpu", precision="fp32")
        return evaluate(EvalOptions([folder], methods, engine=engine, **others)).means

    for sigma, sets in NOISY.items():
        for name in sets:
            folder = arguments.data / name / "clean"
            for mean in measured(folder, methods([float(sigma)]), noise_sigma_8bit=sigma):
                yield row(mean, f"{name} sigma {sigma}")
    for name in CAMERAS:
        for mean in measured(arguments.data / name, methods(CAMERA_LEVELS)):
            yield row(mean, name)
    folder = arguments.data / "kodak24" / "clean"
    for mean in measured(folder, MethodOptions(models=arguments.model), clean=True):
        yield row(mean, "kodak24 as it is")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", nargs="*", default=["mprnet-local-denoise"])
    parser.add_argument("--onnx", type=Path, nargs="*", default=[])
    parser.add_argument("--nlm", action="store_true", help="OpenCV's non-local means, too")
    for result in results(parser.parse_args()):
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
