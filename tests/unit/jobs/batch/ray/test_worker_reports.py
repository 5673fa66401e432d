from __future__ import annotations

import json
import uuid

import pytest

from restore_cli.jobs.batch.journal import FileJournal
from restore_cli.jobs.batch.ray.worker_reports import WorkerReports, adopt_reports
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.storage.opening import results_in
from restore_cli.jobs.batch.storage.remote import JOURNAL_FOLDER, RemoteJournal


def record(output="sub/a.png", step="writing", sha256="2" * 64):
    return Record(step, output, "a.png", "1" * 64, "abc", (3, 4), sha256, 7)


@pytest.fixture(params=["disk", "store"])
def results(request, tmp_path):
    if request.param == "disk":
        return results_in(str(tmp_path))
    pytest.importorskip("fsspec")
    return results_in(f"memory://{uuid.uuid4().hex}")


def test_values(results):
    announcements = WorkerReports(results)
    assert announcements.find("sub/a.png") is None
    announcements.write(record())
    assert announcements.find("sub/a.png") == record()
    assert announcements.find("a.png") is None
    announcements.write(record(sha256="3" * 64))
    assert announcements.find("sub/a.png").output_sha256 == "3" * 64


def test_in_a_store_they_are_the_journal():
    pytest.importorskip("fsspec")
    results = results_in(f"memory://{uuid.uuid4().hex}")
    WorkerReports(results).write(record())
    WorkerReports(results).remove("sub/a.png")
    assert RemoteJournal(results).last("sub/a.png") == record()


@pytest.fixture
def journal(tmp_path):
    opened = FileJournal(tmp_path)
    yield opened
    opened.close()


def test_what_was_not_confirmed_is_taken_over(tmp_path, journal):
    announcements = WorkerReports(results_in(str(tmp_path)))
    for name in ("a.png", "b.png", "c.png", "d.png"):
        announcements.write(record(name))
    announcements.remove("a.png")
    journal.append(record("b.png", "done"))
    journal.append(record("c.png", "failed"))
    (tmp_path / JOURNAL_FOLDER / "odd.json").write_bytes(b"{torn")
    before = len(journal.path.read_bytes().splitlines())
    adopt_reports(tmp_path, journal)
    assert not (tmp_path / JOURNAL_FOLDER).exists()
    lines = [json.loads(line) for line in journal.path.read_bytes().splitlines()[before:]]
    taken = {(line["output"], line["step"]) for line in lines}
    assert taken == {("c.png", "writing"), ("d.png", "writing")}
    assert journal.last("b.png").step == "done"
    assert journal.last("a.png") is None
    adopt_reports(tmp_path, journal)
    assert len(journal.path.read_bytes().splitlines()) == before + 2


def test_a_link_is_left_alone(tmp_path, journal):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.json").write_bytes(b"precious")
    (tmp_path / JOURNAL_FOLDER).symlink_to(tmp_path / "elsewhere")
    adopt_reports(tmp_path, journal)
    assert (tmp_path / "elsewhere/x.json").read_bytes() == b"precious"
