"""How windows get through a network: on one worker per core, or in batches on an accelerator."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from restore_cli.engine.result_checks import finite_or_again

Network = Callable[[Tensor], Tensor]  # (N, 3, h, w) to the same shape


class Runner(Protocol):
    """Restores windows in the order in which they come, several of them at a time."""

    @property
    def workers(self) -> int:
        """How many windows can be worked on at the same time."""

    @property
    def can_share(self) -> bool:
        """Whether all workers can work on one window instead."""

    def __call__(
        self, restore: Network, again: Network, windows: Iterable[Tensor], at_once: int
    ) -> Iterator[Tensor]:
        """Yield the restored windows, each (1, 3, h, w) float32 on the CPU, in order.

        Args:
            restore: the network.
            again: what restores a window of which ``restore`` made NaN or infinity.
            windows: (1, 3, h, w) float32 on the CPU; read only a few ahead.
            at_once: how many to hold and work on at the same time, at most ``workers``.

        Raises:
            ResultError: the second try was not finite either.
        """


class CoreRunner:
    """One single-threaded worker on each core, each with a window of its own, or all on one.

    Threads that share one convolution wait for each other at its end, and for any that another
    program has pushed aside; workers only meet at the end of the image.
    """

    can_share = True

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._pool: ThreadPoolExecutor | None = None

    @property
    def workers(self) -> int:
        return self._cores

    def __call__(
        self, restore: Network, again: Network, windows: Iterable[Tensor], at_once: int
    ) -> Iterator[Tensor]:
        def one(window: Tensor) -> Tensor:
            with torch.inference_mode():  # of each thread its own
                return finite_or_again(restore(window), lambda: again(window))

        rest = iter(windows)
        first = list(itertools.islice(rest, 2 if at_once > 1 else 0))
        if len(first) < 2:
            # A window by itself has all the threads that torch uses.
            yield from map(one, itertools.chain(first, rest))
            return
        pool = self._workers()
        running: deque[Future[Tensor]] = deque()
        try:
            for window in itertools.chain(first, rest):
                running.append(pool.submit(one, window))
                if len(running) > at_once:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
            wait(running)  # or they would still hold their memory

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._cores, "core", torch.set_num_threads, (1,))
        return self._pool


class BatchRunner:
    """Windows of one size in batches on a device, which never waits for the host."""

    can_share = False

    def __init__(self, device: torch.device, batch: int) -> None:
        self._device = device
        self._batch = batch

    @property
    def workers(self) -> int:
        return self._batch

    def __call__(
        self, restore: Network, again: Network, windows: Iterable[Tensor], at_once: int
    ) -> Iterator[Tensor]:
        before: _Batch | None = None
        for stack in _stacks(windows, at_once):
            batch = _Batch(restore, stack, self._device)
            # While the device works on this one, the host takes the one before.
            if before is not None:
                yield from self._taken(before, again)
            before = batch
        if before is not None:
            yield from self._taken(before, again)

    def _taken(self, batch: _Batch, again: Network) -> Iterator[Tensor]:
        def once_more(window: Tensor) -> Tensor:
            return again(window.to(self._device)).cpu()

        pairs = zip(torch.split(batch.windows, 1), torch.split(batch.result(), 1), strict=True)
        for window, restored in pairs:
            yield finite_or_again(restored, partial(once_more, window))


class _Batch:
    """A batch on its way to a device, through the network and back."""

    def __init__(self, restore: Network, windows: Tensor, device: torch.device) -> None:
        self.windows = windows
        if device.type != "cuda":
            self._result = restore(windows.to(device)).cpu()
            self._is_back: torch.cuda.Event | None = None
            return
        # Only copies from and to pinned memory run beside the network.
        sent = windows.pin_memory().to(device, non_blocking=True)
        restored = restore(sent)
        self._result = torch.empty(restored.shape, dtype=restored.dtype, pin_memory=True)
        self._result.copy_(restored, non_blocking=True)
        self._is_back = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._is_back.record()

    def result(self) -> Tensor:
        """Return the restored windows (N, 3, h, w) on the CPU, when they are there."""
        if self._is_back is not None:
            self._is_back.synchronize()
        return self._result


def _stacks(windows: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Yield stacks of up to ``size`` windows that follow each other and have one shape."""
    for _, alike in itertools.groupby(windows, key=lambda window: window.shape):
        while stack := list(itertools.islice(alike, size)):
            yield torch.cat(stack)
