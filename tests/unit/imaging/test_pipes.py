import io
import sys

import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.pipes import read_stdin, write_stdout


class Stream(io.TextIOWrapper):
    terminal = False

    def isatty(self):
        return self.terminal


class Terminal(Stream):
    terminal = True


def test_bytes_pass_unchanged(monkeypatch):
    data = bytes(range(256)) + b"\r\n"
    out = Stream(io.BytesIO())
    monkeypatch.setattr(sys, "stdin", Stream(io.BytesIO(data)))
    monkeypatch.setattr(sys, "stdout", out)
    write_stdout(read_stdin())
    assert out.buffer.getvalue() == data


def test_errors(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO()))
    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO()))
    with pytest.raises(UsageError, match="stdin is a terminal"):
        read_stdin()
    with pytest.raises(UsageError, match="not written to a terminal"):
        write_stdout(b"x")
    monkeypatch.setattr(sys, "stdin", Stream(io.BytesIO()))
    with pytest.raises(ImageError, match="no data"):
        read_stdin()
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ImageError, match="stdin is closed"):
        read_stdin()
    with pytest.raises(ImageError, match="stdout is closed"):
        write_stdout(b"x")


def test_a_closed_pipe_reaches_the_caller(monkeypatch):
    class Gone(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Stream(Gone()))
    with pytest.raises(BrokenPipeError):
        write_stdout(b"x")
