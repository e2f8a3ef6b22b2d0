"""What notebooks show is whole, self-contained and escaped."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from drawloom import Catalog, for_each, pipeline, run, task
from drawloom.catalog.artifacts import Artifact, Made, Reader, Version
from drawloom.catalog.records import ValueRef
from drawloom.display.html import Html, card, chip, page, rows_html
from drawloom.dsl.pipeline import Pipeline

HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(1)>{{ 7*7 }}\x00\x1b[31m \'&amp; 🎲'
VOID = {"meta", "img", "br", "path", "polygon", "ellipse", "polyline"}


class Reader_(HTMLParser):
    """Reads HTML, and holds that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html: str) -> Reader_:
    reader = Reader_()
    reader.feed(html)
    assert reader.open == []
    tags = {tag for tag, _ in reader.seen}
    assert not tags & {"script", "img", "link", "iframe"}
    for _, attributes in reader.seen:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "src")]
    assert "\x00" not in html
    return reader


@task
def load(n: int) -> list[int]:
    return list(range(n))


@task
def double(n: int) -> int:
    return 2 * n


@task
def refuse(numbers: list[int]) -> int:
    print(HOSTILE)
    raise ValueError(HOSTILE)


@pipeline
def good(n: int = 3) -> list[int]:
    return for_each(load(n), double)


@pipeline
def bad(n: int = 3) -> int:
    return refuse(for_each(load(n), double))


@pytest.fixture
def catalog(tmp_path):
    return Catalog.open(tmp_path / "store")


def test_a_run_shows_its_nodes_states_and_graph(catalog) -> None:
    done = run(good, {}, catalog=catalog)
    reader = read(done._repr_html_())
    assert done.id in reader.text
    assert "for_each/double" in reader.text
    assert "3 succeeded" in reader.text
    assert "svg" in {tag for tag, _ in reader.seen}


def test_a_failed_run_shows_why_and_escapes_what_the_task_said(catalog) -> None:
    done = run(bad, {}, catalog=catalog)
    html = done._repr_html_()
    reader = read(html)
    assert "<script>" not in html
    assert 'ValueError: <script>alert("1")</script>' in reader.text
    assert f"drawloom debug {done.id} refuse" in reader.text
    assert Path(__file__).name in reader.text


def test_a_pipeline_shows_its_signature_and_graph() -> None:
    reader = read(good._repr_html_())
    assert "pipeline good" in reader.text
    assert "(n: int) -> list[int]" in reader.text
    assert "test_notebook.py:" in reader.text


def test_a_pipeline_that_cannot_be_traced_says_why() -> None:
    def unknown(n: int = 1) -> Nonesuch:  # noqa: F821
        return n

    reader = read(Pipeline(unknown)._repr_html_())
    assert "error[D" in reader.text


def test_a_catalog_and_its_artifacts_are_shown(catalog) -> None:
    assert "0 artifacts" in read(catalog._repr_html_()).text
    done = run(good, {}, catalog=catalog)
    text = read(catalog._repr_html_()).text
    assert done.id in text
    assert "good/params/n" in text
    artifact = catalog.artifact("good")
    assert done.id in read(artifact._repr_html_()).text
    assert artifact.latest.digest in read(artifact.latest._repr_html_()).text


def test_hostile_facts_of_an_artifact_are_escaped() -> None:
    made = Made(HOSTILE, HOSTILE, HOSTILE, HOSTILE, ValueRef("d" * 64, type=HOSTILE))
    version = Version(1, made, tags=(HOSTILE,), readers=lambda: (Reader(HOSTILE, HOSTILE),))
    for html in (Artifact(HOSTILE, (version,))._repr_html_(), version._repr_html_()):
        assert "<script>" not in html
        assert 'alert("1")' in read(html).text


def test_a_table_of_anything_is_escaped_but_for_what_is_html() -> None:
    html = rows_html(HOSTILE, [(HOSTILE, HOSTILE)], ["node", "n"], [[chip("cached"), 3], [HOSTILE, None]], right=["n"])
    reader = read(html)
    assert "<script>" not in html
    assert 'class="chip"' in html
    assert reader.text.count('<script>alert("1")') == 4
    assert isinstance(card("x", ()), Html)


def test_a_page_is_a_whole_document() -> None:
    html = page(HOSTILE, "a < b")
    assert html.startswith("<!doctype html>")
    assert "a < b" in read(html).text


def test_importing_drawloom_loads_nothing_of_this() -> None:
    code = "import sys, drawloom; from drawloom import pipeline, Run, Catalog; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "drawloom.display.notebook" not in loaded
    assert "drawloom.display.graph" not in loaded
