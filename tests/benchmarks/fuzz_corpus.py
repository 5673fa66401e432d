"""What is fuzzed: the samples, and the kinds of files that they lack."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import cv2  # noqa: TID251 - writes kinds of JPEG that we do not
import imagecodecs
import numpy as np
import tifffile

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image

SMALL_BYTES = 60_000
SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@dataclass(frozen=True, slots=True)
class Seed:
    """A file to break."""

    name: str
    data: bytes
    is_whole: bool = True  # not one of the broken samples

    @property
    def weight(self) -> int:
        """Return how often it is drawn: more often where much can be learned in little time."""
        return 8 if self.is_whole and len(self.data) <= SMALL_BYTES else 1


def corpus(folders: list[Path], made: Path) -> list[Seed]:
    """Return all files to break, in an order that does not depend on the machine."""
    make_variants(made)
    make_videos(made)
    places = [SAMPLES / "formats", SAMPLES / "broken", SAMPLES / "blurred", *folders, made]
    seeds = [
        Seed(path.name, path.read_bytes(), place.name != "broken")
        for place in places
        for path in sorted(place.iterdir())
        if path.is_file() and path.suffix not in (".md", ".safetensors")
    ]
    return [seed for seed in seeds if seed.data]


def make_variants(folder: Path) -> None:
    """Write the kinds of TIFF and others that the samples lack."""
    rng = np.random.default_rng(0)
    wave = np.add.outer(np.arange(40), 2 * np.arange(48)) % 97 * 2.5
    grey = (wave + rng.integers(0, 8, wave.shape)).astype(np.uint8)
    rgb = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=2)
    exif = {"extratags": [(274, 3, 1, 6, True)], "resolution": (300, 300)}
    kinds: dict[str, tuple[np.ndarray, dict[str, object]]] = {
        "lzw": (rgb, {"compression": "lzw", "predictor": True} | exif),
        "packbits": (grey, {"compression": "packbits"}),
        "jpeg": (rgb, {"compression": "jpeg", "tile": (16, 16)}),
        "zstd": (rgb.astype(np.uint16) * 257, {"compression": "zstd", "tile": (32, 16)}),
        "webp": (rgb, {"compression": "webp"}),
        "jpeg2000": (rgb, {"compression": "jpeg2000"}),
        "lzma": (grey, {"compression": "lzma", "rowsperstrip": 7}),
        "float16": (grey.astype(np.float16) / 255, {"compression": "deflate"}),
        "float64": (grey / 255, {}),
        "uint32": (grey.astype(np.uint32) << 24, {}),
        "alpha": (np.dstack([rgb, grey]), {"extrasamples": ["assocalpha"]}),
        "palette": (grey, {"photometric": "palette", "colormap": np.arange(768).reshape(3, 256)}),
        "lab": (rgb, {"photometric": "cielab"}),
    }
    for name, (samples, options) in kinds.items():
        options = {"photometric": "rgb" if samples.ndim == 3 else "minisblack"} | options
        tifffile.imwrite(folder / f"{name}.tif", samples, metadata=None, **options)
    tifffile.imwrite(folder / "big.tif", rgb, bigtiff=True, photometric="rgb", metadata=None)
    (folder / "codestream.j2k").write_bytes(imagecodecs.jpeg2k_encode(rgb, codecformat="j2k"))
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    (folder / "progressive.jpg").write_bytes(cv2.imencode(".jpg", rgb, options)[1].tobytes())
    (folder / "plain.ppm").write_bytes(
        b"P3\n# comment\n48 40\n255\n" + b" ".join(b"%d" % value for value in rgb.ravel())
    )
    (folder / "bits.pbm").write_bytes(b"P4 48 40\n" + np.packbits(grey > 99, axis=1).tobytes())
    (folder / "rows.psd").write_bytes(_psd(rgb))
    write_image(folder / "alpha.bmp", Image(rgb / np.float32(255), grey[..., None] / np.float32(9)))
    write_image(folder / "deep.avif", Image(rgb / np.float32(255), depth="uint16"))
    write_image(folder / "deep.jp2", Image(rgb / np.float32(255), depth="uint16"))


def _psd(rgb: np.ndarray) -> bytes:
    """Return a Photoshop file with one resource and PackBits rows."""
    height, width = rgb.shape[:2]
    planes = rgb.transpose(2, 0, 1).reshape(-1, width)
    rows = [imagecodecs.packbits_encode(row.tobytes()) for row in planes]
    dpi = b"8BIM" + struct.pack(">HHIIIII", 1005, 0, 16, 300 << 16, 0x10001, 300 << 16, 0x10001)
    head = struct.pack(">4sH6xHIIHHII", b"8BPS", 1, 3, height, width, 8, 3, 0, len(dpi))
    lengths = struct.pack(f">{len(rows)}H", *map(len, rows))
    return head + dpi + struct.pack(">IH", 0, 1) + lengths + b"".join(rows)


def make_videos(folder: Path) -> None:
    """Write a Y4M, and clips where PyAV is installed."""
    frame = b"FRAME\n" + bytes(range(256)) * 6  # 32×32 in 4:2:0
    (folder / "short.y4m").write_bytes(b"YUV4MPEG2 W32 H32 F25:1 Ip A1:1 C420jpeg\n" + 2 * frame)
    try:
        from tests.unit.imaging.video.clips import write_clip
    except ImportError:
        return
    write_clip(folder / "short.mp4", count=3, size=(48, 32))
    write_clip(folder / "short.mkv", count=3, size=(48, 32), sound=None)
    write_clip(folder / "short.webm", count=2, size=(48, 32), codec="libvpx-vp9", sound=None)
