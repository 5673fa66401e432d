"""Compile the kernels beside their source: on installation, or by ``python -m`` and this name.

Nobody needs a compiler to install: without one, or on another processor than x86-64, or when it
fails, the installation goes on and says so, and the program computes with PyTorch alone. Only the
standard library may be imported here: this runs before anything is installed.
"""

from __future__ import annotations

import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    class BuildHookInterface: ...

else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface
    except ImportError:  # run by hand, where hatchling is not needed
        BuildHookInterface = object

FOLDER = Path(__file__).resolve().parent

# Not for the processor that compiles: a library asks at run time where it may be used.
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512bf16")
LIBRARIES = {  # what the names of their sources begin with, and the instructions for them
    "winograd": ("winograd", ("-mavx2", "-mfma")),
    "winograd_wide": ("winograd", _AVX512),
    "amx": ("amx", ("-mamx-tile", "-mamx-bf16", *_AVX512)),
    "upsample_add": ("upsample_add", _AVX512),
    "avx512_block": ("avx512_block", _AVX512),
    "window_means": ("window_means", ("-mavx2", "-mfma")),
}

_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared")

_COMPILERS = ("c++", "g++", "clang++")
_TIMEOUT_S = 120

log = logging.getLogger(__name__)


class NotBuiltError(Exception):
    """The kernels cannot be compiled here, for the reason in the message."""


class KernelBuildHook(BuildHookInterface):
    """Hatchling's way in: put the compiled library into the wheel, if there is one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # Any: hatchling's
        built = compile_all()
        if not built:
            return
        root = FOLDER.parents[2]
        build_data["artifacts"] += [f"/{path.relative_to(root).as_posix()}" for path in built]
        build_data["pure_python"] = False
        # Loaded by ctypes, so any Python will do, but only this system and processor.
        system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{system}"


def find_compiler() -> list[str]:
    """Return the command of a C++ compiler: $CXX, or the first of the usual names on the PATH.

    Raises:
        NotBuiltError: there is none.
    """
    chosen = shlex.split(os.environ.get("CXX", ""))
    if chosen:
        return chosen
    for name in _COMPILERS:
        found = shutil.which(name)
        if found:
            return [found]
    raise NotBuiltError("no C++ compiler")


def library_of(name: str) -> Path:
    """Return the file that kernels of this name are compiled into."""
    return FOLDER / f"lib{name}.so"


def compile_all() -> list[Path]:
    """Compile what can be, say what cannot, and return the files that are there now."""
    built = []
    for name in LIBRARIES:
        library = library_of(name)
        try:
            compile_library(name, library)
        except NotBuiltError as error:
            log.warning("without the compiled %s kernels, which are optional: %s", name, error)
            continue
        built.append(library)
    return built


def compile_library(name: str, library: Path) -> None:
    """Compile kernels into this file; an older one is gone even if that fails.

    Args:
        name: one of ``LIBRARIES``.
        library: the file.

    Raises:
        NotBuiltError: no compiler, not its processor or system, or it failed.
    """
    if os.name != "posix" or platform.machine().lower() not in {"x86_64", "amd64"}:
        raise NotBuiltError(f"nothing for {sysconfig.get_platform()}")
    try:
        library.unlink(missing_ok=True)
        compiler = find_compiler()
        # Moved when whole, so that a program starting meanwhile cannot load half of it.
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            made = Path(folder) / library.name
            source, instructions = LIBRARIES[name]
            sources = [str(path) for path in sorted(FOLDER.glob(f"{source}*.cpp"))]
            command = [*compiler, *_FLAGS, *instructions, *sources, "-o", str(made)]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
            made.replace(library)
    except subprocess.CalledProcessError as error:
        raise NotBuiltError(f"{error}: {error.stderr.strip()[-2000:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuiltError(str(error)) from error


def main() -> int:
    """Compile in place; return 0, or 1 where nothing could be."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    built = compile_all()
    for library in built:
        log.info("%s", library)
    return 0 if built else 1


if __name__ == "__main__":
    sys.exit(main())
