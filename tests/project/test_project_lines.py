"""The line of every key of a TOML document."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.project.lines import key_lines

DOCUMENT = '''# a comment with = and [brackets]
project = "x # no comment"   # one
"quoted key" = 'raw \\ text'
a.b . "c.d" = 1

[profiles.fast]   # [not.this]
workers = 4
list = [
  1, "]", # ]
  [2, 3],
]
text = """
[no.header]
key = 1
two quotes ""
"""
raw = \'\'\'
x = 1\'\'\'
inline = {one = 1, "two" = {three = [{four = 4}]}}
last = 2026-01-01T00:00:00Z

[[many]]
k = 1
[[many]]
k = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("project",), 2),
        (("quoted key",), 3),
        (("a", "b", "c.d"), 4),
        (("a",), 4),
        (("profiles",), 6),
        (("profiles", "fast"), 6),
        (("profiles", "fast", "workers"), 7),
        (("profiles", "fast", "list"), 8),
        (("profiles", "fast", "text"), 12),
        (("profiles", "fast", "raw"), 17),
        (("profiles", "fast", "inline", "two", "three", "four"), 19),
        (("profiles", "fast", "last"), 20),
        (("many", "k"), 23),
    ],
)
def test_a_key_has_its_line(path: tuple[str, ...], line: int) -> None:
    tomllib.loads(DOCUMENT)
    assert key_lines(DOCUMENT)[path] == line


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}


def test_what_stands_in_texts_is_no_key() -> None:
    found = key_lines(DOCUMENT)
    assert not [path for path in found if path[0] in ("no", "not", "key", "x")]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
VALUES = st.recursive(
    st.one_of(st.integers(-99, 99).map(str), st.booleans().map(lambda b: str(b).lower()), st.just('"a\\"[=]{}#"')),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=6), st.integers(0, 3))
def test_every_key_of_a_document_is_found_on_its_line(pairs: dict[str, str], gap: int) -> None:
    written = [f'"{_escaped(name)}" = {value}' for name, value in pairs.items()]
    text = ("\n" * (gap + 1)).join(written)
    tomllib.loads(text)
    assert key_lines(text) == {(name,): 1 + i * (gap + 1) for i, name in enumerate(pairs)}


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
