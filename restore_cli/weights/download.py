"""Downloading weights: checked, resumed where a transfer broke off, whole or not at all.

pooch checks the hash and puts the file in its place; what it lacks is going on after a break, which
the downloader here adds by asking for the missing range.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

from restore_cli.errors import UsageError, WeightsError
from restore_cli.weights import store
from restore_cli.weights.header import SUFFIX, read_card

if TYPE_CHECKING:
    from requests import Response, Session

OnBytes = Callable[[int, int | None], None]  # bytes here so far, and in all if the server tells

ATTEMPTS = 5  # in a row that bring nothing new
_PAUSE_S = 1.0  # before another attempt; doubles each time
_TIMEOUT_S = 30.0  # for a connection, and for each piece of data
_CHUNK = 1 << 16  # bytes; what arrived of one when the transfer breaks off is lost


def fetch(
    source: str,
    sha256: str,
    *,
    output: Path | None = None,
    mirror: str = "",
    on_bytes: OnBytes = lambda done, total: None,
) -> Path:
    """Download a file, unless it is there already, and return where it is.

    Args:
        source: an http(s) address, or the name of a model that the mirror has.
        sha256: of the file, as ``sha256sum`` prints it.
        output: the file, or the folder for it; by default the cache folder, where models of ours
            are found by name, and its ``downloads`` for what has to be imported first.
        mirror: an address that stands in for scheme and host of every other.
        on_bytes: called now and then.

    Raises:
        UsageError: no hash, or no address.
        WeightsError: not reachable, broken off for good, or with a wrong checksum, after which
            nothing is kept.
    """
    known_hash = sha256.lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", known_hash):
        raise UsageError("--sha256 is not a SHA-256: 64 digits from 0 to f")
    url = address(source, mirror)
    name = Path(unquote(urlsplit(url).path)).name
    if not name:
        raise UsageError(f"{shown(url)} names no file")
    target = _target(name, output)
    cached = store.cached_file(Path(name).stem)
    if output is None and cached.is_file() and store.file_sha256(cached) == known_hash:
        return cached
    _retrieve(url, known_hash, target, on_bytes)
    if output is None and target.suffix == SUFFIX:
        return _adopted(target, cached)
    return target


def address(source: str, mirror: str = "") -> str:
    """Return where to download from.

    Raises:
        UsageError: not http or https, or a name without a mirror to look it up.
    """
    base = mirror.rstrip("/")
    if base:
        _check_address(base)
    if "://" not in source:
        if not base or not re.fullmatch(r"[\w.-]+", source):
            hint = "give its address, or a mirror that has it with RESTORE_MIRROR"
            raise UsageError(f"no address is known for {source!r}", hint=hint)
        suffix = "" if Path(source).suffix else SUFFIX
        return f"{base}/{source}{suffix}"
    _check_address(source)
    if not base:
        return source
    parts = urlsplit(source)
    return base + urlunsplit(("", "", parts.path, parts.query, ""))


def shown(url: str) -> str:
    """Return an address without what is secret in it: user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(f"{shown(url)} is no http or https address")


def _target(name: str, output: Path | None) -> Path:
    if output is None:
        store.make_folder(store.downloads_dir())
        return store.downloads_dir() / name
    if output.is_dir():
        return output / name
    if not output.parent.is_dir():
        raise WeightsError("the folder does not exist", path=output.parent, hint="create it first")
    return output


def _adopted(downloaded: Path, cached: Path) -> Path:
    """Move one of our files to where it is found by name; leave any other where it is."""
    try:
        read_card(downloaded)
    except WeightsError:
        return downloaded
    downloaded.replace(cached)
    return cached


def _retrieve(url: str, sha256: str, target: Path, on_bytes: OnBytes) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)  # it tells stderr what we tell there
    partial = target.with_name(f".{target.name}.{sha256[:16]}.part")
    was_begun = partial.exists()
    downloader = _ResumingDownloader(partial, on_bytes)
    try:
        pooch.retrieve(
            url, f"sha256:{sha256}", fname=target.name, path=target.parent, downloader=downloader
        )
    except ValueError as error:  # pooch's word for a wrong hash; it has removed the file
        if was_begun:  # what was here may have been of another file
            _retrieve(url, sha256, target, on_bytes)
            return
        what = f"{shown(url)} is not the file that --sha256 {sha256[:12]}… stands for"
        raise WeightsError(f"{what}; nothing was kept", hint="check both") from error
    except requests.RequestException as error:
        raise _failure(url, error, partial) from error
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise WeightsError(f"cannot be written: {what}", path=target) from error


def _failure(url: str, error: Exception, partial: Path) -> WeightsError:
    response: Response | None = getattr(error, "response", None)
    if response is not None:
        what = f"the server answered {response.status_code} {response.reason}"
        return WeightsError(f"{shown(url)}: {what}", hint="check the address")
    import requests

    size = partial.stat().st_size if partial.exists() else 0
    if size or isinstance(error, requests.exceptions.ChunkedEncodingError):
        what = f"{shown(url)}: the transfer broke off; {size} bytes are kept"
        return WeightsError(what, hint="the same command goes on from there")
    hint = "check the network; HTTPS_PROXY and RESTORE_MIRROR are heeded"
    return WeightsError(f"{shown(url)} cannot be reached", hint=hint)


class _ResumingDownloader:
    """What pooch calls to download; keeps what arrived in ``partial`` until all of it has."""

    def __init__(self, partial: Path, on_bytes: OnBytes) -> None:
        self.partial = partial
        self.on_bytes = on_bytes

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        import requests

        failures = 0
        with requests.Session() as session:
            while True:
                before = self._size()
                try:
                    self._transfer(session, url)
                    break
                except requests.HTTPError as error:
                    if error.response is None or error.response.status_code < 500:
                        raise
                    failures += 1
                    last: Exception = error
                except requests.RequestException as error:
                    failures = 1 if self._size() > before else failures + 1
                    last = error
                if failures >= ATTEMPTS:
                    raise last
                time.sleep(_PAUSE_S * 2 ** (failures - 1))
        os.replace(self.partial, output_file)  # noqa: PTH105 - pooch hands over a text

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _transfer(self, session: Session, url: str) -> None:
        """Add to the partial file what it lacks; begin anew where the server cannot go on."""
        begun = self._size()
        # Without compression, so that bytes here are bytes there.
        headers = {"Accept-Encoding": "identity"}
        if begun:
            headers["Range"] = f"bytes={begun}-"
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            if response.status_code == 416 and _total(response) == begun:
                return
            goes_on = response.status_code == 206 and _first(response) == begun
            if begun and not goes_on and response.status_code in {206, 416}:
                self.partial.unlink()
                self._transfer(session, url)
                return
            response.raise_for_status()
            with self.partial.open("ab" if goes_on else "wb") as file:
                self._receive(response, file, begun if goes_on else 0)

    def _receive(self, response: Response, file: BinaryIO, done: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        self.on_bytes(done, total)
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            self.on_bytes(done, total)
        file.flush()
        os.fsync(file.fileno())


def _first(response: Response) -> int | None:
    """Return where the range that a server sends begins."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total(response: Response) -> int | None:
    match = re.match(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None
