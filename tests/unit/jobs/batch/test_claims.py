from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.claims import CLAIMS_FOLDER, LockClaims, NoClaims, claim_key, claims_in
from restore_cli.jobs.batch.stale_files import remove_stale_files

KEY = claim_key("a.png")


def hold(folder, is_held):
    claim = LockClaims(folder).take(KEY)
    is_held.set()
    signal.pause()
    claim.release()


@pytest.fixture
def holder(tmp_path):
    """A process that holds a claim."""
    context = multiprocessing.get_context("fork")
    is_held = context.Event()
    process = context.Process(target=hold, args=(tmp_path, is_held))
    process.start()
    assert is_held.wait(20)
    yield process
    process.kill()
    process.join()


def test_values(tmp_path):
    claims = LockClaims(tmp_path)
    first = claims.take(KEY)
    assert claims.take(KEY) is None
    assert claims.take(claim_key("b.png")) is not None
    first.release()
    first.release()
    assert claims.take(KEY) is not None


def test_a_claim_ends_with_its_process(tmp_path, holder):
    claims = claims_in(tmp_path)
    assert claims.take(KEY) is None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert claims.take(KEY) is not None


def test_nothing_is_left(tmp_path):
    claims = claims_in(tmp_path)
    claims.take(KEY).release()
    (tmp_path / CLAIMS_FOLDER / claim_key("of a killed run")).touch()
    claims.close()
    assert not list(tmp_path.iterdir())
    assert claims.take(KEY) is not None  # the folder is made again


def test_claims_in_use_stay(tmp_path, holder):
    claims = claims_in(tmp_path)
    claims.close()
    assert claims.take(KEY) is None


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / CLAIMS_FOLDER).touch()
    with pytest.raises(ImageError):
        LockClaims(tmp_path)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / CLAIMS_FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImageError, match="link"):
        LockClaims(tmp_path)


def test_no_claims_always_give_one():
    claims = NoClaims("why")
    claim = claims.take(KEY)
    assert (claim is not None, claims.take(KEY) is not None, claims.note) == (True, True, "why")
    claim.release()


def test_stale_files_of_the_dead_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "sub").mkdir()
    dead = tmp_path / "sub" / f".restore-{claim_key('dead')}.part"
    dead.write_bytes(b"half")
    folder = tmp_path / f".restore-{claim_key('in parts')}.part"
    folder.mkdir()
    (folder / "large.tif").write_bytes(b"half")
    alive = tmp_path / f".restore-{KEY}.part"
    alive.write_bytes(b"half")
    others = [tmp_path / name for name in (".restore-abc.part", ".restore-x.tmp", "a.part")]
    for other in others:
        other.write_bytes(b"not ours")
    claims = LockClaims(tmp_path)
    claim = claims.take(KEY)
    assert remove_stale_files(tmp_path, claims) == 2
    assert not dead.exists()
    assert not folder.exists()
    assert alive.exists()
    assert all(other.exists() for other in others)
    claim.release()
    assert remove_stale_files(tmp_path, claims) == 1


def test_a_link_named_like_a_leftover_is_removed_alone(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / f".restore-{KEY}.part").symlink_to(tmp_path / "precious")
    assert remove_stale_files(tmp_path, LockClaims(tmp_path)) == 1
    assert (tmp_path / "precious" / "file").exists()


def test_a_folder_is_shared_or_alone(tmp_path):
    first, second = LockClaims(tmp_path), LockClaims(tmp_path)
    shared = [claims.enter(alone=False) for claims in (first, second)]
    assert all(shared)
    assert first.enter(alone=True) is None
    shared[0].release()
    assert first.enter(alone=True) is None
    shared[1].release()
    alone = first.enter(alone=True)
    assert second.enter(alone=False) is None
    alone.release()
    second.enter(alone=False).release()
    first.close()
    assert not first.folder.exists()
