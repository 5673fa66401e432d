"""Checks the guides: short README, links that lead somewhere, commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from restore_cli.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").glob("**/*.md"))
GUIDES = [ROOT / "README.md", *DOCS]
PAGES = [
    *GUIDES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "samples").glob("**/README.md")),
]
README_LINES = 160

FENCE = re.compile(r"^( {0,3})```(\S*)[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
NO_SHELL = {"mermaid", "python", "toml"}  # languages of fenced blocks that hold no commands
OPERATORS = set("|&;<>()")

ROOT_COMMAND = typer.main.get_command(app)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", text)


def anchors(path: Path) -> set[str]:
    """Return what headings of a page are called in links, as GitHub makes it."""
    titles = HEADING.findall(prose(path.read_text(encoding="utf-8")))
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


def links(path: Path) -> list[str]:
    """Return the links and pictures of a page that do not lead to another site."""
    found = LINK.findall(INLINE_CODE.sub("", prose(path.read_text(encoding="utf-8"))))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def code_lines(text: str) -> list[str]:
    """Return the lines of fenced and indented blocks that may be commands."""
    fenced = [body for _, kind, body in FENCE.findall(text) if kind not in NO_SHELL]
    lines = [line for body in fenced for line in body.splitlines()]
    return lines + [line for line in prose(text).splitlines() if line.startswith("    ")]


def inline_commands(text: str) -> list[str]:
    """Return commands in a sentence: `restore eval --csv FILE`."""
    spans = INLINE_CODE.findall(prose(text))
    return [span for span in spans if re.match(r"restore [a-z]", span)]


def simple_commands(line: str) -> list[list[str]]:
    """Return the words of each command of a shell line, without what joins them."""
    shell = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    shell.whitespace_split = True
    commands: list[list[str]] = [[]]
    is_file = False  # after < or >
    for word in shell:
        if set(word) <= OPERATORS:
            is_file = set(word) <= set("<>")
            if not is_file:
                commands.append([])
        elif is_file:
            is_file = False
        else:
            commands[-1].append(word)
    return commands


def arguments_of_restore(words: list[str]) -> list[str] | None:
    """Return what a command hands to this program; None if it starts another one."""
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if "restore_cli" in words and words[words.index("restore_cli") - 1] == "-m":
        return words[words.index("restore_cli") + 1 :]
    if words and (words[0] == "restore" or words[0].endswith("/restore")):
        return words[1:]
    return None


def invocations(text: str) -> Iterator[list[str]]:
    """Yield the arguments of every start of this program that a page prints."""
    for line in [*code_lines(text), *inline_commands(text)]:
        for words in simple_commands(line):
            arguments = arguments_of_restore(words)
            if arguments is not None:
                yield arguments


def complaint(arguments: list[str]) -> str:
    """Return what the program would say against a command line; empty if nothing."""
    command, context = ROOT_COMMAND, typer.Context(ROOT_COMMAND, info_name="restore")
    rest = list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
        context = typer.Context(command, info_name=name, parent=context)
    try:
        # Names of options and whether each has its value; the values may be examples.
        command.make_parser(context).parse_args(rest)
    except typer.TyperException as error:
        return error.format_message()
    return ""


def test_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES


def test_quick_start_has_its_two_blocks():
    """`.ci/run` takes the second one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    quick = re.split(r"^## ", text, flags=re.MULTILINE)
    (section,) = [part for part in quick if part.startswith("Quick start\n")]
    assert section.count("```") == 4
    install, develop = (body for _, _, body in FENCE.findall(section))
    assert len(install.splitlines()) == len(develop.splitlines()) == 1
    assert "restore deblur samples/" in install
    assert "pytest" in develop


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page):
    wrong = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_relative_to(ROOT) or not file.exists():
            wrong.append(f"{target}: no such file")
        elif anchor and anchor not in anchors(file):
            wrong.append(f"{target}: no such heading")
    assert not wrong


@pytest.mark.parametrize("page", GUIDES, ids=relative)
def test_printed_commands_exist(page):
    text = page.read_text(encoding="utf-8")
    said = {" ".join(arguments): complaint(arguments) for arguments in invocations(text)}
    assert not {line: what for line, what in said.items() if what}


@pytest.mark.parametrize("page", GUIDES, ids=relative)
def test_printed_samples_exist(page):
    named = re.findall(r"(?<![\w/])samples/[\w/.-]*\w", page.read_text(encoding="utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_readme_shows_every_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = {arguments[0] for arguments in invocations(text) if arguments}
    assert set(ROOT_COMMAND.commands) <= shown


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in links(index)}
    assert not [relative(page) for page in DOCS if page != index and page not in linked]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("restore deblur a.jpg   # writes a_deblur.jpg", [["deblur", "a.jpg"]]),
        ("cat a.jpg | restore denoise - | .venv/bin/restore deblur - > b.jpg",
         [["denoise", "-"], ["deblur", "-"]]),
        ("OMP_NUM_THREADS=1 torchrun -m restore_cli train --data x", [["train", "--data", "x"]]),
        ("pip install 'restore-cli[video]' && restore doctor", [["doctor"]]),
        ("python tests/benchmarks/kernels.py", []),
    ],
)  # fmt: skip
def test_commands_are_found_in_lines(line, expected):
    assert list(invocations(f"    {line}\n")) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deblur a.jpg --tile 256 -o b.jpg", ""),
        ("weights list", ""),
        ("sharpen a.jpg", "no command sharpen"),
        ("weights bake", "no command bake"),
        ("deblur a.jpg --watch", "No such option: --watch"),
        ("deblur a.jpg --tile", "Option '--tile' requires an argument"),
    ],
)
def test_wrong_commands_are_found(line, expected):
    assert complaint(line.split()).startswith(expected)
    assert bool(complaint(line.split())) == bool(expected)
