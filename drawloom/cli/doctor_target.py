"""The checks of `drawloom doctor --target`: the engine, what the target names in it, and its store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from drawloom.cli.doctor_checks import Check, guarded, writable
from drawloom.project import Overrides, Settings, load_settings
from drawloom.project.targets import Target, find_target

if TYPE_CHECKING:
    from drawloom.ir.program import Program

__all__ = ["target_checks"]


def target_checks(name: str, overrides: Overrides, *, from_pod: bool) -> list[Check]:
    """All checks of a target, in the order they should be read.

    Args:
        name: the target's name.
        overrides: what the command line says of profile, catalog and project.
        from_pod: whether a pod is started that tries the store.

    Raises:
        ProjectError: P670, there is no such target; P671, it is wrong.
    """
    settings = load_settings(overrides)
    target = find_target(name, settings)
    found = guarded("target options", lambda: _options(target))
    found += guarded(f"target {name}", lambda: _engine(target))
    found += guarded("target store", lambda: _store(target, settings))
    if from_pod and all(check.state != "problem" for check in found):
        found += guarded("from a pod", lambda: _from_pod(target, settings))
    return found


def _options(target: Target) -> Iterator[Check]:
    from drawloom.api import compile_program, refuse_options
    from drawloom.compilers.base import compiler_of

    refuse_options(compiler_of(target.engine), target.options)
    compile_program(_empty_program(), target.engine, _of_the_place(target))
    left = ", ".join(f"`{name}`" for name in target.options if name not in _of_the_place(target))
    later = f"; {left} can be looked at only with a pipeline" if left else ""
    yield Check("target options", "ok", f"the compiler for {target.engine} takes them{later}")
    if target.connection.insecure_skip_verify:
        what = f"{target.connection.server} isn't held against a certificate: anybody between may read the token"
        yield Check("target tls", "note", what, "name its authority: `ca_file`")


def _engine(target: Target) -> Iterator[Check]:
    from drawloom.deploying import connect_target

    for finding in connect_target(target).findings(target.options):
        yield Check(finding.name, finding.state, finding.what, finding.fix)


def _store(target: Target, settings: Settings) -> Iterator[Check]:
    from drawloom.deploying import open_target

    catalog = open_target(target, allow_pickle=settings.allow_pickle, create=True)
    for check in writable(catalog):
        yield Check(f"target {check.name}", check.state, check.what, check.fix)


def _from_pod(target: Target, settings: Settings) -> Iterator[Check]:
    from drawloom.api import compile_program
    from drawloom.deploying import connect_target, open_target
    from drawloom.ir.program import pipeline_digest
    from drawloom.runtimes.publish import publish_program

    program = _empty_program()
    files = compile_program(program, target.engine, _of_the_place(target))
    catalog = open_target(target, allow_pickle=settings.allow_pickle)
    publish_program(catalog.storage, files, pipeline_digest(program.pipeline))
    with tempfile.TemporaryDirectory(prefix="drawloom-doctor-") as folder:
        files.write(folder)
        for finding in connect_target(target).probe(folder, catalog):
            yield Check(finding.name, finding.state, finding.what, finding.fix)


def _of_the_place(target: Target) -> dict[str, Any]:
    """The options that hold whatever is deployed."""
    from drawloom.compilers.base import compiler_of

    of_pipelines = compiler_of(target.engine).of_pipelines
    return {name: value for name, value in target.options.items() if name not in of_pipelines}


def _empty_program() -> Program:
    """A program that is made for nothing but its pods."""
    from drawloom.ir.nodes import Block, Pipeline
    from drawloom.ir.program import Program

    return Program(Pipeline("drawloom-doctor", body=Block(())), {})
