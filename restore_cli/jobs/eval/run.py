"""Restores test pictures by several methods and measures how near they come to the clean ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from restore_cli.atomic import write_atomically
from restore_cli.engine.channels import Pixels
from restore_cli.engine.device import choose_device
from restore_cli.errors import ImageError, ResultError, UsageError
from restore_cli.jobs.eval.methods import Method, load_methods
from restore_cli.jobs.eval.options import EvalOptions
from restore_cli.jobs.eval.pictures import (
    Degrading,
    PictureSet,
    Sample,
    find_kernels,
    find_pictures,
)
from restore_cli.jobs.eval.report import (
    EvalReport,
    OnStep,
    Row,
    Score,
    Step,
    as_csv,
    ignore_steps,
)
from restore_cli.metrics.alignment import BORDER, aligned
from restore_cli.metrics.distortion import SSIM_WINDOW, psnr_db, ssim

Say = Callable[[str], None]

# BT.601 as it is stored: black at 16, white at 235; the Y of MATLAB's rgb2ycbcr.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_BLACK = 16 / 255


def evaluate(
    options: EvalOptions, on_step: OnStep = ignore_steps, say: Say = lambda _: None
) -> EvalReport:
    """Measure every method on the same pictures, one picture at a time.

    Args:
        options: see there.
        on_step: told after each picture and method.
        say: told what should be known about the data.

    Raises:
        UsageError: options that contradict each other.
        ImageError: a picture cannot be read, has no partner of its size, or is too small.
        WeightsError: an unknown or damaged model or network.
        DeviceError: device or precision cannot be had, or too little memory.
        ResultError: a method gave values that are not finite.
    """
    _refuse_contradictions(options)
    device = choose_device(options.engine.device)
    degrading = Degrading(options.noise_sigma_8bit, find_kernels(options.kernels), options.clean)
    sets = [
        find_pictures(folder, degrading, grey=options.grey, limit=options.limit)
        for folder in dict.fromkeys(options.data)
    ]
    for pictures in sets:
        if pictures.strays:
            say(f"{pictures.name}: {len(pictures.strays)} files without a partner are left out")
    threads = torch.get_num_threads()
    methods = load_methods(options.methods, options.engine, sets)
    total = sum(len(pictures.names) for pictures in sets) * len(methods)
    on_step(Step(0, total))
    rows: list[Row] = []
    for pictures in sets:
        for sample in pictures.samples():
            for row in _measured(pictures, sample, methods, options, is_first=not rows):
                rows.append(row)
                on_step(Step(len(rows), total, row))
    if options.csv is not None:
        write_atomically(options.csv, as_csv(rows).encode())
    return EvalReport(
        device=str(device),
        threads=threads,
        torch=torch.__version__,
        protocol=options.protocol,
        methods=tuple(method.facts for method in methods),
        rows=tuple(rows),
    )


def _measured(
    pictures: PictureSet,
    sample: Sample,
    methods: Sequence[Method],
    options: EvalOptions,
    *,
    is_first: bool,
) -> Iterator[Row]:
    """Yield what each method makes of one picture."""
    height, width = sample.clean.shape[:2]
    if options.align and min(height, width) <= 2 * BORDER:
        what = f"is too small to align: {BORDER} pixels are cut from each side"
        raise ImageError(what, path=sample.name)
    before = _score(sample.degraded, sample.clean, options)
    for method in methods:
        if is_first:
            method.prepare(sample)
        start_s = time.perf_counter()
        restored = method(sample)
        seconds = time.perf_counter() - start_s
        if not np.isfinite(restored).all():
            what = f"{method.facts.method} gave values that are not finite"
            raise ResultError(what, path=sample.name)
        yield Row(
            set=pictures.name,
            picture=sample.name,
            method=method.facts.method,
            width=width,
            height=height,
            before=before,
            after=_score(restored, sample.clean, options),
            seconds=seconds if method.is_timed else None,
        )


def _score(pixels: Pixels, clean: Pixels, options: EvalOptions) -> Score:
    if options.align:
        # What goes beyond [0, 1] helps to find the shift.
        pixels, clean = aligned(pixels, clean)
    pixels = np.clip(pixels, 0, 1)
    if options.luma:
        pixels, clean = _luma(pixels), _luma(clean)
    pred, target = _images(pixels), _images(clean)
    is_large = min(pixels.shape[:2]) >= SSIM_WINDOW
    return Score(psnr_db(pred, target).item(), ssim(pred, target).item() if is_large else None)


def _images(pixels: Pixels) -> Tensor:
    """Return (H, W, C) as (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def _luma(pixels: Pixels) -> Pixels:
    """Return (H, W, 1); grey is its own luma."""
    if pixels.shape[2] == 1:
        return pixels
    luma: Pixels = (pixels @ _LUMA + _BLACK)[..., None].astype(np.float32)
    return luma


def _refuse_contradictions(options: EvalOptions) -> None:
    if options.clean and (options.noise_sigma_8bit or options.kernels):
        raise UsageError("--clean takes pictures as they are", hint="without --noise and --kernels")
    if options.luma and options.grey:
        raise UsageError("--luma compares colour pictures", hint="without --grey")
    if options.csv is not None and not options.csv.absolute().parent.is_dir():
        raise UsageError("the folder for this file does not exist", path=options.csv)
