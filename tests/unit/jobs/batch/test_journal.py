from __future__ import annotations

import json
import multiprocessing
import os

import pytest

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.journal import JOURNAL_NAME, EmptyJournal, FileJournal
from restore_cli.jobs.batch.record import Record

RECORD = Record(
    "done", "a.png", "a.jpg", "1" * 64, "settings", (3, 4, 5, 6), "2" * 64, 17, (17, 8, 9, 10),
    seconds=1.5,
)  # fmt: skip
FAILED = Record("failed", "b.png", "b.png", "3" * 64, "settings", error="is broken")


@pytest.fixture
def journal(tmp_path):
    opened = FileJournal(tmp_path)
    yield opened
    opened.close()


def reopened(tmp_path):
    journal = FileJournal(tmp_path, read_only=True)
    journal.close()
    return journal


def test_values(journal, tmp_path):
    journal.append(RECORD)
    journal.append(FAILED)
    for known in (journal, reopened(tmp_path)):
        assert known.last("a.png") == RECORD
        assert known.last("b.png") == FAILED
        assert known.last("c.png") is None
        assert known.has_written("a.png")
        assert not known.has_written("b.png")
        assert known.damaged == 0


def test_the_last_record_counts(journal, tmp_path):
    for record in (
        RECORD,
        FAILED,
        Record("failed", "a.png", "a.jpg", "4" * 64, "other", error="x"),
    ):
        journal.append(record)
    known = reopened(tmp_path)
    assert known.last("a.png").settings == "other"
    assert known.has_written("a.png")


@pytest.mark.parametrize(
    "name", ["new\nline.png", "\N{CAT FACE}.png", os.fsdecode(b"\xff\xfe.png")]
)
def test_odd_names(journal, tmp_path, name):
    journal.append(Record("failed", name, name, "1" * 64, "s", error=f"{name} is bad"))
    assert reopened(tmp_path).last(name).error == f"{name} is bad"
    assert len((tmp_path / JOURNAL_NAME).read_bytes().splitlines()) == 1


def test_a_torn_line_is_passed_over_and_closed(journal, tmp_path):
    journal.append(RECORD)
    path = tmp_path / JOURNAL_NAME
    path.write_bytes(path.read_bytes() + b'{"step": "done", "output": "c.p')
    again = FileJournal(tmp_path)
    assert (again.last("a.png"), again.last("c.png"), again.damaged) == (RECORD, None, 0)
    again.append(FAILED)
    again.close()
    known = reopened(tmp_path)
    assert (known.last("a.png"), known.last("b.png"), known.damaged) == (RECORD, FAILED, 1)


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"step": "done"}',
        b'{"step": "done", "output": 1}',
        b"\xff\xfe",
        b"7",
    ],
)
def test_damaged_lines_are_counted(tmp_path, line):
    good = json.dumps(RECORD.to_line("now")).encode()
    (tmp_path / JOURNAL_NAME).write_bytes(line + b"\n\n" + good + b"\n")
    known = reopened(tmp_path)
    assert (known.last("a.png"), known.damaged) == (RECORD, 1)


def test_settings_are_described_once(journal, tmp_path):
    journal.describe("abc", {"tile": 64})
    journal.describe("abc", {"tile": 64})
    (line,) = (tmp_path / JOURNAL_NAME).read_text().splitlines()
    assert json.loads(line)["tile"] == 64
    again = FileJournal(tmp_path)
    again.describe("abc", {"tile": 64})
    again.close()
    assert len((tmp_path / JOURNAL_NAME).read_text().splitlines()) == 1


def test_what_others_write_is_taken_in(journal, tmp_path):
    other = FileJournal(tmp_path)
    other.append(RECORD)
    assert journal.last("a.png") is None
    journal.refresh()
    assert journal.last("a.png") == RECORD
    other.close()


def write_many(folder, number):
    journal = FileJournal(folder)
    for count in range(25):
        journal.append(Record("failed", f"{number}-{count}", "x", "1" * 64, "s", error="x" * 5000))
    journal.close()


def test_several_processes_append_whole_lines(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_many, args=(tmp_path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    known = reopened(tmp_path)
    assert known.damaged == 0
    assert all(known.last(f"{n}-{count}") for n in range(4) for count in range(25))


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / JOURNAL_NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(ImageError):
        FileJournal(tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"


def test_the_empty_journal_remembers_nothing():
    journal = EmptyJournal()
    journal.append(RECORD)
    journal.refresh()
    journal.describe("abc", {})
    assert journal.last("a.png") is None
    assert not journal.has_written("a.png")
