"""Programs in a store: written once, read back equal, refused when damaged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.errors import Span, StoreError
from drawloom.ir.nodes import Block, Call, Pipeline
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.tasks import FunctionRef, TaskSpec

PROGRAM = Program(
    Pipeline("p", tasks=(TaskSpec("t:one", FunctionRef("t", "one")),), body=Block((Call("a", "t:one"),))),
    {"": Span("flow.py", 1, "p"), "a": Span("ordner/ü flow.py", 2)},
)


def test_a_program_comes_back_equal_under_its_pipelines_digest(catalog: Catalog) -> None:
    digest = catalog.save_program(PROGRAM)
    assert digest == pipeline_digest(PROGRAM.pipeline)
    assert catalog.load_program(digest) == PROGRAM
    assert catalog.save_program(PROGRAM) == digest


def test_a_moved_line_moves_the_spans_of_the_same_program(catalog: Catalog) -> None:
    moved = replace(PROGRAM, spans={"a": Span("flow.py", 20)})
    assert catalog.save_program(PROGRAM) == catalog.save_program(moved)
    assert catalog.load_program(catalog.save_program(moved)).spans == moved.spans


@pytest.mark.parametrize("spans", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": [1, "x", ""]}'])
def test_spans_that_cannot_be_read_do_no_harm(catalog: Catalog, spans: bytes) -> None:
    digest = catalog.save_program(PROGRAM)
    catalog.storage.write(f"programs/{digest}/spans.json", spans)
    assert catalog.load_program(digest) == replace(PROGRAM, spans={})


def test_a_program_that_is_not_there_is_refused(catalog: Catalog) -> None:
    with pytest.raises(StoreError) as error:
        catalog.load_program("0" * 64)
    assert str(error.value) == (
        "error[S452] the program 000000000000 can't be read: it isn't in the store\n"
        f"  where  {catalog.url}/programs/{'0' * 64}/pipeline.json\n"
        "  fix    read the store with the drawloom that wrote it, or run the pipeline again: it writes the program anew"
    )


def test_a_changed_program_is_refused(catalog: Catalog) -> None:
    digest = catalog.save_program(PROGRAM)
    catalog.storage.write(f"programs/{digest}/pipeline.json", b"{}")
    with pytest.raises(StoreError, match="its bytes don't have this digest"):
        catalog.load_program(digest)


def test_a_program_of_a_newer_version_is_refused(catalog: Catalog) -> None:
    digest = catalog.save_program(Program(replace(PROGRAM.pipeline, ir_version=99)))
    with pytest.raises(StoreError, match="ir_version is 99; this drawloom reads 0"):
        catalog.load_program(digest)
