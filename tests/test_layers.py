"""Checks the house: who imports whom, no circles, short files, few places that read pickles."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400

# A new arrow is a decision, made here. Every package may import itself and `restore_cli` (the
# version and the lazy public names).
MAY_IMPORT = {
    "errors": set(),
    "option": set(),
    "atomic": {"errors"},
    "models": set(),
    "metrics": set(),
    "degradations": set(),
    "classical": {"imaging"},
    "deconvolution": {"imaging"},
    "imaging": {"atomic", "errors", "option"},
    "weights": {"models", "atomic", "errors"},
    "engine": {"models", "weights", "errors", "option"},
    "data": {"imaging", "degradations", "errors"},
    # Blur is made inside the training step, on its device; validation runs the engine users run and
    # shows what it did.
    "training": {
        "imaging",
        "models",
        "weights",
        "data",
        "degradations",
        "engine",
        "metrics",
        "atomic",
        "errors",
        "option",
    },
    "methods": {"engine", "imaging", "weights", "models", "atomic", "errors"},
    "jobs": {
        "methods",
        "classical",
        "deconvolution",
        "engine",
        "imaging",
        "weights",
        "models",
        "data",
        "degradations",
        "metrics",
        "atomic",
        "errors",
        "option",
    },
    "cli": {"jobs", "training", "weights", "errors", "option"},
}

NO_TORCH = (
    "restore_cli/imaging/",
    "restore_cli/cli/",
    "restore_cli/atomic.py",
    "restore_cli/errors.py",
    "restore_cli/option.py",
    "restore_cli/weights/card.py",
    "restore_cli/weights/catalog.py",
    "restore_cli/weights/store.py",
)

MAY_UNPICKLE = {"restore_cli/weights/importing.py", "restore_cli/training/checkpoint.py"}

FILES = sorted([*ROOT.glob("models/**/*.py"), *ROOT.glob("restore_cli/**/*.py")])


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def layer_of(path: Path) -> str | None:
    """The package a file belongs to; None for what stands above all of them."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "models":
        return "models"
    if parts[1] in {"__init__", "__main__"}:
        return None
    return parts[1]


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "restore_cli":
                yield from (f"restore_cli.{alias.name}" for alias in node.names)
            else:
                yield node.module


def imported_layer(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "models":
        return "models"
    if parts[0] == "restore_cli" and len(parts) > 1 and parts[1] in MAY_IMPORT:
        return parts[1]
    return None


@pytest.fixture(scope="module")
def trees():
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def test_every_package_has_its_row():
    assert {layer_of(path) for path in FILES} - {None} <= set(MAY_IMPORT)


def test_imports_point_one_way(trees):
    wrong = []
    for path, tree in trees.items():
        layer = layer_of(path)
        if layer is None:
            continue
        allowed = MAY_IMPORT[layer] | {layer, None}
        wrong += [
            f"{relative(path)} imports {module}"
            for module in imported_modules(tree)
            if imported_layer(module) not in allowed
        ]
    assert not wrong


def test_no_files_import_each_other_in_a_circle(trees):
    """Type-only imports count: a reader follows them, too."""
    modules = {module_of(path): path for path in trees}
    arrows = {
        module: set(imported_files(trees[path], modules)) - {module}
        for module, path in modules.items()
    }
    assert circles(arrows) == []


def test_a_circle_is_found():
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(arrows) == [{"b", "c"}]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_files(tree: ast.AST, modules: Iterable[str]) -> Iterator[str]:
    """Yield the modules of ours that a file names, of a package the ones it takes from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found = inner if inner in modules else node.module
                if found in modules:
                    yield found


def circles(arrows: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the sets of modules that reach each other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(arrows[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += arrows[module]
        return seen

    reach = {module: reached(module) for module in arrows}
    found: list[set[str]] = []
    for module in arrows:
        circle = {other for other in reach[module] if module in reach[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


def test_layers_without_torch_have_none(trees):
    wrong = [
        relative(path)
        for path, tree in trees.items()
        if relative(path).startswith(NO_TORCH)
        and any(module.split(".")[0] == "torch" for module in imported_modules(tree))
    ]
    assert not wrong


def test_options_need_neither_torch_nor_numpy(trees):
    """Every --help reads them."""
    light = {"__future__", "collections", "dataclasses", "math", "pathlib", "re", "typing"}
    ours = {"restore_cli.option", "restore_cli.jobs.json_report"}
    wrong = [
        f"{relative(path)} imports {module}"
        for path, tree in trees.items()
        if path.name in {"option.py", "options.py"}
        for module in imported_modules(tree)
        if module.split(".")[0] not in light
        and module not in ours
        and not module.endswith(".options")
    ]
    assert not wrong


def test_the_options_of_restoring_know_no_job(trees):
    tree = trees[ROOT / "restore_cli/jobs/restore/options.py"]
    assert not [module for module in imported_modules(tree) if "jobs" in module]


def test_nothing_comes_from_click(trees):
    wrong = [
        relative(path)
        for path, tree in trees.items()
        if any("click" in module for module in imported_modules(tree))
    ]
    assert not wrong


def test_only_the_console_prints(trees):
    wrong = [
        f"{relative(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "print")
            or ast.unparse(node.func) in {"sys.stdout.write", "sys.stderr.write", "typer.echo"}
        )
        and relative(path) != "restore_cli/cli/console.py"
    ]
    assert not wrong


def test_pickles_are_read_in_two_files(trees):
    wrong = [
        f"{relative(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) == "torch.load"
        and relative(path) not in MAY_UNPICKLE
    ]
    assert not wrong


@pytest.mark.parametrize("path", [*FILES, *sorted(ROOT.glob("tests/**/*.py"))], ids=relative)
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{relative(path)} has {lines} lines"
