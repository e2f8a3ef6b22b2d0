"""Source manifests: what a digest is made of, which part of it changed, and the text that shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.functions import FunctionSource, PartChange, compare, function_source, load_function_source
from drawloom.compilers.reference import compile_reference
from drawloom.dsl.fingerprint import fingerprint
from drawloom.dsl.manifest import source_manifest
from drawloom.dsl.tracing import trace
from drawloom.ir.program import pipeline_digest
from drawloom.runtimes.publish import publish_program

Load = Callable[..., ModuleType]

BASE = '''
import re
from functools import lru_cache
from drawloom import task

LIMIT = 3
KEY = "sk-very-secret"
WORDS = {"a": [1, 2], "b": re.compile("x")}

class Window:
    size: int = 3

@lru_cache
def deepest(x):
    # a comment
    return x + LIMIT + len(KEY)

def helper(x):
    return deepest(x) + Window.size + len(WORDS)

@task(cache=True)
def work(a: int, b: int = 1) -> int:
    """What it does."""
    return helper(a) * b
'''


def source(user_module: Load, text: str, module: str = "worker") -> tuple[str, FunctionSource]:
    function = user_module(text, module).work.function
    return fingerprint(function).digest, function_source(source_manifest(function))


def changes(user_module: Load, text: str) -> tuple[PartChange, ...]:
    one, before = source(user_module, BASE)
    other, after = source(user_module, text)
    found = compare(before, after)
    assert (one != other) == any(change.change != "reworded" for change in found)
    return found


def told(found: tuple[PartChange, ...]) -> list[tuple[str, str, str]]:
    return [(change.kind, change.name, change.change) for change in found]


def test_the_function_itself_comes_first_and_then_all_it_reaches(user_module: Load) -> None:
    _, found = source(user_module, BASE)
    assert found.name == "worker:work"
    assert found.parts[0].name == "worker:work"
    assert {(part.kind, part.name) for part in found.parts} == {
        ("function", "worker:work"),
        ("function", "worker:helper"),
        ("class", "worker:Window"),
        ("function", "worker:deepest"),
        ("constant", "worker:WORDS"),
        ("constant", "worker:KEY"),
        ("constant", "worker:LIMIT"),
    }
    assert found.parts[0].text.startswith("@task(cache=True)\ndef work(a: int, b: int = 1) -> int:\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("x + LIMIT", "x - LIMIT", ("function", "worker:deepest", "changed")),
        ("* b", "+ b", ("function", "worker:work", "changed")),
        ("size: int = 3", "size: int = 4", ("class", "worker:Window", "changed")),
        ("LIMIT = 3", "LIMIT = 4", ("constant", "worker:LIMIT", "changed")),
        ("sk-very", "sk-less", ("constant", "worker:KEY", "changed")),
        ("[1, 2]", "[1, 3]", ("constant", "worker:WORDS", "changed")),
        ('compile("x")', 'compile("y")', ("constant", "worker:WORDS", "changed")),
        ("from functools import lru_cache", "from functools import cache as lru_cache", None),
    ],
)
def test_a_change_names_the_part_it_is_in_however_far_away(
    user_module: Load, old: str, new: str, expected: tuple[str, str, str] | None
) -> None:
    found = told(changes(user_module, BASE.replace(old, new)))
    assert found == ([expected] if expected else found)


def test_what_came_and_went_is_told(user_module: Load) -> None:
    text = BASE.replace("Window.size", "other()").replace(
        "class Window:", "def other():\n    return 1\n\nclass Window:"
    )
    assert told(changes(user_module, text)) == [
        ("function", "worker:helper", "changed"),
        ("function", "worker:other", "added"),
        ("class", "worker:Window", "removed"),
    ]


def test_comments_docstrings_and_formatting_are_reworded_and_the_diff_says_so(user_module: Load) -> None:
    text = BASE.replace("# a comment", "# another one").replace("What it does", "What else it does")
    found = changes(user_module, text)
    assert told(found) == [
        ("function", "worker:work", "reworded"),
        ("function", "worker:deepest", "reworded"),
    ]
    assert "no change of the code" in found[1].diff()
    assert "-    # a comment\n+    # another one" in found[1].diff()


def test_a_comment_above_a_definition_does_not_belong_to_the_one_before(user_module: Load) -> None:
    for name in ("def helper", "@lru_cache", "@task"):
        assert changes(user_module, BASE.replace(name, f"# of the next\n\n# of the next\n{name}")) == ()


def test_a_text_that_ends_like_a_comment_belongs_to_its_function(user_module: Load) -> None:
    text = BASE.replace("    return deepest(x) + Window", '    """\n# no comment"""\n    return deepest(x) + Window')
    ended = BASE.replace("    return helper(a) * b", '    return len("""\n# no comment""")')
    for changed in (text, ended):
        assert "# no comment" in "".join(part.text for part in source(user_module, changed)[1].parts)


def test_the_diff_of_a_change_is_a_unified_one(user_module: Load) -> None:
    (found,) = changes(user_module, BASE.replace("x + LIMIT", "x - LIMIT"))
    lines = found.diff().splitlines()
    assert lines[:2] == ["--- before/worker:deepest", "+++ after/worker:deepest"]
    assert "-    return x + LIMIT + len(KEY)" in lines
    assert "+    return x - LIMIT + len(KEY)" in lines


def test_numbers_are_shown_and_texts_never_leave_the_module(user_module: Load) -> None:
    tree = source_manifest(user_module(BASE, "worker").work.function)
    assert [text for name, _, text, _ in tree["parts"] if name == "worker:LIMIT"] == ["LIMIT = 3"]
    assert "very-secret" not in str(tree)
    (found,) = changes(user_module, BASE.replace("sk-very", "sk-less"))
    assert "isn't kept" in found.diff()


def test_a_name_that_stands_for_something_else_is_told_though_the_text_is_the_same(user_module: Load) -> None:
    text = (
        "from drawloom import task\nfrom math import floor as f\n@task\ndef work(a: float) -> int:\n    return f(a)\n"
    )
    _, before = source(user_module, text)
    _, after = source(user_module, text.replace("floor", "ceil"))
    (found,) = compare(before, after)
    assert "what a name in it stands for has changed" in found.diff()


def test_a_function_that_only_moved_to_another_module_is_no_change(user_module: Load) -> None:
    one, before = source(user_module, BASE.replace("Window.size", "1"), "one_place")
    other, after = source(user_module, BASE.replace("Window.size", "1"), "another_place")
    assert one == other
    assert compare(before, after) == ()


def test_a_widened_digest_has_the_module_as_a_part_without_the_texts_in_its_names(user_module: Load) -> None:
    user_module('TOKEN = "sk-very-secret"  # ☃ comment\nNUMBER = 3\ndef f():\n    return "kept"\n', "wide")
    text = "from drawloom import task\nimport wide\n@task\ndef work(a: str) -> str:\n    return str(getattr(wide, a))\n"
    _, found = source(user_module, text)
    (module,) = [part for part in found.parts if part.kind == "module"]
    assert found.scope == "module"
    assert module.name == "wide"
    assert "very-secret" not in module.text
    assert 'return "kept"' in module.text
    assert "☃ comment" in module.text


def test_where_all_files_count_each_is_a_part(user_module: Load, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("X = 1\n")
    text = "from drawloom import task\n@task\ndef work(a: str) -> str:\n    return str(eval(a))\n"
    _, before = source(user_module, text)
    (tmp_path / "beside.py").write_text("X = 2\n")
    _, after = source(user_module, text)
    assert before.scope == "bundle"
    assert told(compare(before, after)) == [("file", "beside.py", "changed")]


FLOW = (
    BASE.replace("import task", "import pipeline, task") + "\n@pipeline\ndef flow(n: int) -> int:\n    return work(n)\n"
)


def test_sources_are_saved_once_with_the_program_and_read_again(user_module: Load, tmp_path: Path) -> None:
    program = trace(user_module(FLOW, "worker").flow, {}).program
    catalog = Catalog.open(str(tmp_path / "store"))
    catalog.save_program(program)
    digest = program.pipeline.tasks[0].function.digest
    found = load_function_source(catalog.storage, digest)
    assert found is not None
    assert found.parts[0].text.startswith("@task(cache=True)\ndef work")
    key = f"functions/{digest}.json"
    catalog.storage.write(key, b'{"name": "kept", "scope": "function", "parts": []}')
    catalog.save_program(program)
    kept = load_function_source(catalog.storage, digest)
    assert kept is not None
    assert kept.name == "kept"


def test_a_compiled_program_brings_its_sources(user_module: Load, tmp_path: Path) -> None:
    program = trace(user_module(FLOW, "worker").flow, {}).program
    files = compile_reference(program, root=str(tmp_path))
    catalog = Catalog.open(str(tmp_path / "store"))
    publish_program(catalog.storage, files, pipeline_digest(program.pipeline))
    digest = program.pipeline.tasks[0].function.digest
    assert load_function_source(catalog.storage, digest) == function_source(program.sources[digest])


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"name": 1, "scope": 2, "parts": [[]]}', b"\xff\xfe{"])
def test_a_source_that_cannot_be_read_is_none(tmp_path: Path, data: bytes) -> None:
    storage: Any = Catalog.open(str(tmp_path / "store")).storage
    storage.create(f"functions/{'a' * 64}.json", data)
    assert load_function_source(storage, "a" * 64) is None
    assert load_function_source(storage, "b" * 64) is None
    assert load_function_source(storage, "") is None
