"""The parameters that a place gives a pipeline, as what an engine hands to the begin step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drawloom.compilers.base import EncodedValue
from drawloom.errors import CompileError, Diagnostic, Span, did_you_mean
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import NotEncodable, encode
from drawloom.ir.nodes import Pipeline
from drawloom.ir.program import Program

__all__ = ["given_params", "lacking_params", "needs_values"]


def given_params(program: Program, params: Mapping[str, object], holder: str) -> dict[str, Json]:
    """Parameter name -> envelope tree, of those that are given a value.

    Args:
        program: the program.
        params: name -> value.
        holder: what they are put into, `a DAG`.

    Raises:
        CompileError: E721, there is no such parameter, or a value has no envelope of its own.
    """
    ports = {port.name: port for port in program.pipeline.params}
    where = program.spans.get("")
    unknown = sorted(params.keys() - ports.keys())
    if unknown:
        raise CompileError(
            Diagnostic(
                "E721",
                f"pipeline `{program.pipeline.name}` has no parameter `{name}`{did_you_mean(name, ports)}",
                where,
                "leave it out",
            )
            for name in unknown
        )
    return {name: _tree(name, value, holder, where) for name, value in params.items()}


def _tree(name: str, value: object, holder: str, where: Span | None) -> Json:
    if isinstance(value, EncodedValue):
        return value.tree
    try:
        return encode(value)
    except NotEncodable as error:
        what = f"the parameter `{name}` can't be put into {holder}: {error}"
        fix = "use `drawloom deploy`, which stores such values first"
        raise CompileError(Diagnostic("E721", what, where, fix)) from error


def lacking_params(pipeline: Pipeline, given: Iterable[str]) -> list[str]:
    """The names of parameters that have neither a default nor a value."""
    known = set(given)
    return [port.name for port in pipeline.params if port.default is None and port.name not in known]


def needs_values(pipeline: Pipeline, given: Iterable[str], where: Span | None) -> list[Diagnostic]:
    """E731: nobody is there to give a scheduled run its parameters.

    Args:
        pipeline: the pipeline.
        given: the names of the parameters that have a value.
        where: its line.
    """
    return [
        Diagnostic(
            "E731",
            f"the scheduled pipeline `{pipeline.name}` needs the parameter `{name}`, and nobody gives it to its runs",
            where,
            f"give it a default, or a value in the target (`params.{name} = ...`)",
        )
        for name in lacking_params(pipeline, given)
    ]
