import os
import sys

from restore_cli.imaging.native_stderr import native_messages, reason


def test_codec_lines_are_caught_and_others_pass(capfd):
    with native_messages() as lines:
        os.write(2, b"libpng error: bad adaptive filter value\n")
        sys.stderr.write("progress 12 %\n")
    assert lines == ["libpng error: bad adaptive filter value"]
    assert capfd.readouterr().err == "progress 12 %\n"


def test_a_message_may_have_several_lines(capfd):
    with native_messages() as lines:
        os.write(2, b"[ WARN:0@1] global opj: precisions differ:\n        [0] prec(16)\nours\n")
        os.write(2, b"  ours, too\n")
    assert len(lines) == 2
    assert capfd.readouterr().err == "ours\n  ours, too\n"


def test_stderr_is_back_after_a_failure(capfd):
    try:
        with native_messages():
            raise ValueError
    except ValueError:
        os.write(2, b"visible\n")
    assert capfd.readouterr().err == "visible\n"


def test_reason():
    assert reason(["libpng warning: x", "libpng error: y"]) == "y"
    assert reason(["Corrupt JPEG data: premature end"]) == "premature end"
    line = "[ERROR:0@0.1] global a.cpp:1 f: OpenCV(5) a.cpp:2: error: (-2:Odd) text in function 'f'"
    assert reason([line]) == "text"
    assert reason([]) == ""
