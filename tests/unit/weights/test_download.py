"""Downloads from a real server on this machine, which breaks off in every way we know."""

import hashlib
import stat

import pytest

from restore_cli.errors import UsageError, WeightsError
from restore_cli.weights import download, store
from restore_cli.weights.download import address, fetch, shown
from tests.unit.weights.server import served

CONTENT = bytes(i * i % 251 for i in range(600_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "_PAUSE_S", 0.0)
    return tmp_path / "cache/restore/weights"


@pytest.fixture
def site():
    with served(CONTENT) as site:
        yield site


def everything_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_foreign_file_waits_to_be_imported(site, cache):
    seen = []
    path = fetch(f"{site.url}/a/model.pth", SHA256, on_bytes=lambda *state: seen.append(state))
    assert path == cache / "downloads" / "model.pth"
    assert path.read_bytes() == CONTENT
    assert everything_in(cache) == [path]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    (cache / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((cache / "plain").stat().st_mode)


def test_what_is_here_is_not_fetched_again(site, cache):
    first = fetch(f"{site.url}/model.pth", SHA256.upper())
    assert fetch(f"{site.url}/model.pth", f"sha256:{SHA256}") == first
    assert len(site.requests) == 1
    first.write_bytes(b"damaged since")
    fetch(f"{site.url}/model.pth", SHA256)
    assert first.read_bytes() == CONTENT


def test_one_of_ours_is_found_by_name(cache, narrow_model_file):
    content = narrow_model_file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    with served(content) as site:
        path = fetch(f"{site.url}/Night_Deblur.safetensors?key=1", digest)
        assert path == cache / "night-deblur.safetensors" == store.locate("night-deblur")
        assert everything_in(cache) == [path]
        assert fetch(f"{site.url}/Night_Deblur.safetensors", digest) == path
        assert len(site.requests) == 1


def test_safetensors_of_others_are_not_among_ours(site, cache):
    path = fetch(f"{site.url}/x.safetensors", SHA256)
    assert path.parent == cache / "downloads"
    assert store.cached_files() == ()


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_transfer_that_breaks_off_goes_on(site, cache, has_ranges):
    site.has_ranges = has_ranges
    site.breaks = [200_000, 200_000, 0, 100_000]
    path = fetch(f"{site.url}/model.pth", SHA256)
    assert path.read_bytes() == CONTENT
    assert everything_in(cache) == [path]
    assert len(site.requests) == 5
    ranges = [wanted for _, wanted in site.requests]
    # Whole chunks are kept: three, three more, one more.
    begun = (0, 3, 6, 6, 7) if has_ranges else (0, 3, 3, 0, 1)
    assert ranges == [f"bytes={count * 65536}-" if count else None for count in begun]


def test_a_server_that_is_away_is_asked_again(site):
    site.failures = [503, 502]
    assert fetch(f"{site.url}/model.pth", SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("has_ranges", [True, False])
def test_the_next_call_goes_on_where_the_last_gave_up(site, cache, has_ranges):
    site.has_ranges = has_ranges
    site.breaks = [200_000] + [0] * download.ATTEMPTS
    with pytest.raises(WeightsError, match=r"broke off; \d+ bytes are kept \(the same"):
        fetch(f"{site.url}/model.pth", SHA256)
    assert [path.suffix for path in everything_in(cache)] == [".part"]
    kept = everything_in(cache)[0].stat().st_size
    assert kept == (196_608 if has_ranges else 0)
    site.breaks.clear()
    site.requests.clear()
    path = fetch(f"{site.url}/model.pth", SHA256)
    assert path.read_bytes() == CONTENT
    assert everything_in(cache) == [path]
    if has_ranges:
        assert site.requests == [("/model.pth", "bytes=196608-")]


def part_of(cache):
    folder = cache / "downloads"
    folder.mkdir(parents=True)
    return folder / f".model.pth.{SHA256[:16]}.part"


def test_a_part_that_is_already_the_whole(site, cache):
    part_of(cache).write_bytes(CONTENT)
    assert fetch(f"{site.url}/model.pth", SHA256).read_bytes() == CONTENT
    assert site.sent == 0


@pytest.mark.parametrize("part", [b"of another file", CONTENT + b"more", bytes(len(CONTENT))])
def test_a_part_of_something_else_is_thrown_away(site, cache, part):
    part_of(cache).write_bytes(part)
    path = fetch(f"{site.url}/model.pth", SHA256)
    assert path.read_bytes() == CONTENT
    assert everything_in(cache) == [path]


def test_a_wrong_checksum_keeps_nothing(site, cache):
    with pytest.raises(WeightsError, match=r"is not the file .* nothing was kept"):
        fetch(f"{site.url}/model.pth", "0" * 64)
    assert everything_in(cache) == []


def test_a_wrong_checksum_keeps_the_old_file(site, tmp_path):
    old = tmp_path / "model.pth"
    old.write_bytes(b"old")
    with pytest.raises(WeightsError, match="nothing was kept"):
        fetch(f"{site.url}/model.pth", "0" * 64, output=old)
    assert old.read_bytes() == b"old"
    assert everything_in(tmp_path) == [old]


def test_output(site, tmp_path, cache):
    assert fetch(f"{site.url}/x/a%20b.pth", SHA256, output=tmp_path) == tmp_path / "a b.pth"
    assert fetch(f"{site.url}/x", SHA256, output=tmp_path / "c.pth") == tmp_path / "c.pth"
    assert not cache.exists()
    with pytest.raises(WeightsError, match="the folder does not exist"):
        fetch(f"{site.url}/x", SHA256, output=tmp_path / "no" / "c.pth")


def test_a_mirror_stands_in_for_every_host(site):
    path = fetch("https://example.invalid/a/m.pth?x=1", SHA256, mirror=f"{site.url}/base/")
    assert path.read_bytes() == CONTENT
    assert site.requests == [("/base/a/m.pth?x=1", None)]
    fetch("night_deblur", SHA256, mirror=site.url)
    assert site.requests[-1][0] == "/night_deblur.safetensors"


def test_failures(site, cache):
    with pytest.raises(WeightsError, match="the server answered 404 Not Found"):
        fetch(f"{site.url}/gone/model.pth", SHA256)
    assert len(site.requests) == 1, "what is not there is not asked for again"
    site.failures = [500] * download.ATTEMPTS
    with pytest.raises(WeightsError, match="the server answered 500"):
        fetch(f"{site.url}/model.pth", SHA256)
    site.server_close()
    with pytest.raises(WeightsError, match=r"cannot be reached .*RESTORE_MIRROR"):
        fetch("http://127.0.0.1:9/model.pth", SHA256)
    assert everything_in(cache) == []


@pytest.mark.parametrize(
    ("source", "sha256", "message"),
    [
        ("http://127.0.0.1/a.pth", "abc", "not a SHA-256"),
        ("http://127.0.0.1/", SHA256, "names no file"),
        ("file:///etc/passwd", SHA256, "no http or https address"),
        ("ftp://127.0.0.1/a.pth", SHA256, "no http or https address"),
        ("some-model", SHA256, "no address is known for 'some-model'"),
    ],
)
def test_usage_errors(source, sha256, message):
    with pytest.raises(UsageError, match=message):
        fetch(source, sha256)


def test_addresses():
    assert address("a-b", "http://m/x") == "http://m/x/a-b.safetensors"
    assert address("model.pth", "http://m/") == "http://m/model.pth"
    with pytest.raises(UsageError, match="no http or https address"):
        address("a", "m.lan")
    with pytest.raises(UsageError, match="no address"):
        address("../a", "http://m")
    assert shown("https://me:secret@host:8/a?token=1#x") == "https://host:8/a"
