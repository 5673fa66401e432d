from pathlib import Path

import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.listing import derived_name, expand_inputs, is_image, suffix_of


def test_is_image():
    assert is_image("a.JPG")
    assert is_image(Path("folder.d/ünï [1].jpeg"))
    assert not is_image("a.txt")
    assert not is_image("jpg")
    assert not is_image("._a.jpg")


@pytest.mark.parametrize(
    ("path", "suffix", "expected"),
    [
        ("x/a.jpg", None, "x/a_deblur.jpg"),
        ("a.JPG", None, "a_deblur.JPG"),
        ("a.b.png", ".webp", "a.b_deblur.webp"),
        ("a.gif", None, "a_deblur.png"),
        ("a.pfm", None, "a_deblur.tif"),
        ("plain", None, "plain_deblur"),
    ],
)
def test_derived_name(path, suffix, expected):
    assert derived_name(path, "deblur", suffix) == Path(expected)


def test_suffix_of():
    assert suffix_of("jpeg") == ".jpg"


def test_expand_inputs(tmp_path):
    names = ["b.png", "a.JPG", "notes.txt", ".hidden.png", "sub/c.tif", ".cache/d.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = expand_inputs([tmp_path / "notes.txt", tmp_path, tmp_path / "b.png"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "notes.txt",
        "a.JPG",
        "b.png",
        "sub/c.tif",
    ]
    assert len(expand_inputs([tmp_path], recursive=False)) == 2


def test_errors(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        expand_inputs([tmp_path / "absent.png"])
    with pytest.raises(ImageError, match="no images in this folder"):
        expand_inputs([tmp_path])
