"""ONNX files in ONNX Runtime, an optional dependency: image in, image out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import UsageError, WeightsError

INSTALL = "pip install 'restore-cli[onnx]'"

# As ONNX Runtime spells them; what they are in numpy.
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_ERRORS_ONLY = 3


class OnnxSession:
    """A network in an ONNX file whose first input of four dimensions is an image, NCHW RGB.

    Further inputs get a constant, the noise level as part of 1.
    """

    def __init__(self, path: Path, threads: int, *, on_cuda: bool = False) -> None:
        """Load a file.

        Args:
            path: of the ONNX file.
            threads: to compute with.
            on_cuda: on the GPU, if this build of ONNX Runtime can.

        Raises:
            UsageError: ONNX Runtime is not installed.
            WeightsError: no such file, not ONNX, or no image goes in.
        """
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ERRORS_ONLY
        # Its threads would go on spinning into what is timed next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        providers = ["CPUExecutionProvider"]
        if on_cuda and "CUDAExecutionProvider" in runtime.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        if not path.is_file():
            raise WeightsError("no such file", path=path)
        try:
            self._session = runtime.InferenceSession(path, options, providers=providers)
        # The runtime's own exceptions derive from nothing narrower.
        except Exception as error:
            what = f"cannot be run by ONNX Runtime: {_first_line(error)}"
            raise WeightsError(what, path=path) from error
        self._path = path
        self._image, self._others = _sorted_inputs(self._session.get_inputs(), path)

    @property
    def provider(self) -> str:
        """Return by what it computes, such as CPUExecutionProvider."""
        return str(self._session.get_providers()[0])

    @property
    def facts(self) -> dict[str, str]:
        """Return what the file says about itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def takes_level(self) -> bool:
        """Return whether it is told the level of noise."""
        return bool(self._others)

    @property
    def multiple_of(self) -> int | None:
        """Return what sides have to be multiples of, if the file says so."""
        text = self.facts.get("multiple_of", "")
        return int(text) if text.isdecimal() else None

    def run(self, image: NDArray[np.float32], sigma_8bit: float) -> NDArray[np.float32]:
        """Return the first output for an image (N, 3, H, W) in [0, 1].

        Raises:
            UsageError: the file takes other sizes.
        """
        for wanted, side in zip(self._image.shape, image.shape, strict=True):
            if isinstance(wanted, int) and wanted != side:
                size = "x".join(str(part) for part in reversed(self._image.shape[2:]))
                hint = f"it takes --size {size}"
                raise UsageError(f"takes no image of {image.shape}", path=self._path, hint=hint)
        sizes = dict(zip(map(str, self._image.shape), image.shape, strict=True))
        feeds = {self._image.name: image.astype(_TYPES[self._image.type])}
        for other in self._others:
            # Sides called like the image's are as long as those; others that are free are 1.
            shape = [s if isinstance(s, int) else sizes.get(str(s), 1) for s in other.shape]
            feeds[other.name] = np.full(shape, sigma_8bit / 255, _TYPES[other.type])
        try:
            outputs = self._session.run(None, feeds)
        except Exception as error:
            what = f"failed on an image of {image.shape}: {_first_line(error)}"
            raise WeightsError(what, path=self._path) from error
        restored: NDArray[np.float32] = np.asarray(outputs[0], np.float32)
        return restored


def _runtime() -> Any:  # noqa: ANN401 - published without type hints
    with contextlib.suppress(ModuleNotFoundError):
        import onnxruntime

        return onnxruntime
    raise UsageError("this needs ONNX Runtime, which is not installed", hint=INSTALL)


def _sorted_inputs(inputs: list[Any], path: Path) -> tuple[Any, list[Any]]:
    """Return the input for the image, and the others; both are the runtime's own class."""
    strange = [i.type for i in inputs if i.type not in _TYPES]
    images = [i for i in inputs if len(i.shape) == 4 and i.shape[1] == 3]
    # None says three channels: networks for each colour plane alike leave the number free.
    images = images or [i for i in inputs if len(i.shape) == 4 and not isinstance(i.shape[1], int)]
    if strange or not images:
        what = f"no (N, 3, H, W) image of floats goes in, but {', '.join(i.name for i in inputs)}"
        raise WeightsError(what, path=path)
    return images[0], [i for i in inputs if i is not images[0]]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
