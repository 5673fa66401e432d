"""Pages of text, drawn for training: text blurs like nothing else in a photo."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_FONTS: Final = ("sans", "sans", "sans", "italic")  # that come with OpenCV
_WEIGHTS: Final = (300, 400, 500, 700)
_SIZES_PX: Final = (8.0, 40.0)
# Letters about as often as in Latin scripts.
_LETTERS: Final = "eeeeeetttttaaaaoooonnnniiiisssrrrhhllddccuummppffggwwyybbvkxjqzäéüßñ"
_MARKS: Final = (",", ".", ".", ";", ":", "!", "?", ")", "%", " –", " €")
_MOST_LINES: Final = 200


def text_page(rng: Generator, side: int) -> NDArray[np.uint8]:
    """Return a square (side, side, 3) of sRGB with lines of random words.

    Two in three pages are dark text on light paper, the others have any two colours. Lines may
    differ in size and weight, and the page may be turned.

    Args:
        rng: the only source of randomness.
        side: in pixels.
    """
    paper, ink = _colours(rng)
    # Large enough to cover the square however it is turned.
    canvas = np.empty((2 * side, 2 * side, 3), np.uint8)
    canvas[:] = paper
    size = float(np.exp(rng.uniform(*np.log(_SIZES_PX))))
    spacing = rng.uniform(1.2, 1.9)
    top = rng.uniform(0, size)
    for _ in range(_MOST_LINES):
        if rng.random() < 0.15:  # a heading, a footnote
            size = float(np.exp(rng.uniform(*np.log(_SIZES_PX))))
        top += size * spacing
        if top > 2 * side:
            break
        font = cv2.FontFace(_FONTS[int(rng.integers(len(_FONTS)))])
        weight = _WEIGHTS[int(rng.integers(len(_WEIGHTS)))]
        left = int(rng.uniform(-3, 3) * size)
        line = _line(rng, int(2 * side / (0.4 * size)))
        cv2.putText(canvas, line, (left, int(top)), ink, font, round(size), weight)
    if rng.random() < 0.5:
        angle = rng.normal(0, 8)
        turn = cv2.getRotationMatrix2D((side, side), angle, 1.0)
        canvas[:] = cv2.warpAffine(canvas, turn, (2 * side, 2 * side), flags=cv2.INTER_CUBIC)
    start = side // 2
    return np.ascontiguousarray(canvas[start : start + side, start : start + side])


def _colours(rng: Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return paper and ink, which differ clearly."""
    while True:
        if rng.random() < 0.66:
            paper = np.full(3, rng.uniform(190, 255)) - rng.uniform(0, 20, 3)
            ink = rng.uniform(0, 70) + rng.uniform(0, 15, 3)
        else:
            paper, ink = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
        if abs(float(paper.mean() - ink.mean())) > 60:
            return tuple(int(v) for v in paper), tuple(int(v) for v in ink)


def _line(rng: Generator, letters: int) -> str:
    """Return words of one to eleven letters, some capitals, numbers and marks."""
    words: list[str] = []
    while sum(len(word) + 1 for word in words) < letters:
        length = int(rng.integers(1, 12))
        if rng.random() < 0.12:
            word = "".join(str(digit) for digit in rng.integers(10, size=min(length, 5)))
        else:
            word = "".join(_LETTERS[i] for i in rng.integers(len(_LETTERS), size=length))
        chance = rng.random()
        if chance < 0.15:
            word = word.capitalize()
        elif chance < 0.2:
            word = word.upper()
        if rng.random() < 0.15:
            word += _MARKS[int(rng.integers(len(_MARKS)))]
        words.append(word)
    return " ".join(words)
