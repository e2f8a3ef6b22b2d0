"""Imports go one way: who may import whom inside the package, read from the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import drawloom

PACKAGE = Path(drawloom.__file__).parent

# room -> the rooms it may import at run time, besides itself; `*` means all (docs/how-it-works.md, "Rooms")
MAY_IMPORT = {
    "frozen": set(),
    "errors": set(),
    "ir": {"errors"},
    "storage": {"errors", "ir"},
    "values": {"errors", "ir", "storage"},
    "dsl": {"errors", "ir"},
    "compilers": {"errors", "ir", "storage", "catalog"},
    "catalog": {"errors", "ir", "storage", "values"},
    "display": {"errors", "ir", "storage", "values", "catalog"},
    "runtimes": {"errors", "ir", "storage", "values", "catalog", "display"},
    "project": {"errors"},
    "parameters": {"errors", "ir", "values", "dsl"},
    "api": {"*"},
    "graphs": {"errors", "ir", "dsl", "parameters"},
    "again": {"*"},
    "deploying": {"*"},
    "cli": {"*"},
    "testing": {"*"},
    "pytest_plugin": {"*"},
    "__init__": {"*"},
    "__main__": {"*"},
}
# what goes up on purpose: user-facing sugar reached when it is called, never when it is imported
LAZY_UPWARDS = {("dsl", "api"), ("dsl", "display"), ("dsl", "runtimes"), ("catalog", "api"), ("catalog", "display")}


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def _imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(module, line, at the top of the file) of every drawloom import in a file, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in for_checkers:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "drawloom":
                    yield alias.name, node.lineno, id(node) in top
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "drawloom":
            for alias in node.names:
                full = f"{node.module}.{alias.name}" if node.module == "drawloom" else str(node.module)
                yield full, node.lineno, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} uses a relative import"


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", _files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in MAY_IMPORT, f"{path} lies in the room {room!r}, which docs/how-it-works.md doesn't know"
    allowed = MAY_IMPORT[room]
    for module, line, at_top in _imports(path):
        target = _room(module)
        if target in (room, "frozen") or "*" in allowed or target in allowed:  # `frozen` lies below everything
            continue
        if (room, target) in LAZY_UPWARDS and not at_top:
            continue
        pytest.fail(f"{path.relative_to(PACKAGE.parent)}:{line}: {room} must not import {module}")


def test_the_page_tells_the_rule_as_it_is() -> None:
    page = (PACKAGE.parent / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    told = {}
    for rooms, allowed in re.findall(
        r"^\| (`[^|]+) \| [^|]+ \| ([^|]+) \|$", page.partition("## One value")[0], re.MULTILINE
    ):
        for room in re.findall(r"`([a-z_]+)/?`", rooms):
            told[room] = {"*"} if allowed == "everything" else set(re.findall(r"`([a-z_]+)`", allowed))
    assert told == {room: allowed for room, allowed in MAY_IMPORT.items() if not room.startswith("__")}


def test_no_compiler_imports_another() -> None:
    shared = {
        "base",
        "by_steps",
        "features",
        "bundle",
        "importable",
        "passes",
        "emit",
        "matrix",
        "program_files",
        "given_params",
        "pods",
        "task_options",
        "__init__",
    }
    for path in sorted((PACKAGE / "compilers").rglob("*.py")):
        compiler = path.relative_to(PACKAGE / "compilers").parts[0].removesuffix(".py")
        if compiler in shared:
            continue
        for module, line, _ in _imports(path):
            parts = module.split(".")
            if parts[1:2] == ["compilers"] and len(parts) > 2:
                assert parts[2] in shared | {compiler}, f"{path.name}:{line} imports the compiler {parts[2]}"


def test_the_package_has_no_drawer_for_odds_and_ends() -> None:
    names = {path.stem for path in _files()}
    assert not names & {"utils", "util", "helpers", "common", "misc", "tools"}
