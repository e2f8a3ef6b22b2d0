"""A run's parameters: held against the pipeline's signature, given their defaults, checked and encoded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from drawloom.dsl.signature import Signature, signature
from drawloom.errors import Diagnostic, RunRefused, Span, ValueRefused, did_you_mean
from drawloom.ir.canonical import Json
from drawloom.ir.tasks import Port
from drawloom.ir.types import Type

if TYPE_CHECKING:
    from drawloom.values.store import Values

__all__ = ["Bound", "bind", "encode_params"]


class Bound:
    """Parameters held against a signature.

    Args:
        static: values of the compile-time parameters, defaults included.
        given: values of the run-time parameters that were given.
    """

    __slots__ = ("given", "static")

    def __init__(self, static: dict[str, Any], given: dict[str, Any]) -> None:
        self.static = static
        self.given = given


def bind(
    function: Callable[..., Any], params: Mapping[str, object], where: Span | None, *, partly: bool = False
) -> Bound:
    """Holds parameters against the signature of a pipeline's function; tells every problem at once.

    Args:
        function: the plain function.
        params: parameter name -> value.
        where: the pipeline in the user's file.
        partly: whether run-time parameters may be missing, because nothing is run yet.

    Raises:
        RunRefused: a parameter is missing (R541), unknown (R542), or has a wrong type (R543).
    """
    found = signature(function)
    ports = {port.name: port for port in found.ports}
    given = {name: _as_path_type(value, ports[name].type) if name in ports else value for name, value in params.items()}
    problems = [
        *_missing(found, given, where, partly),
        *_unknown(found, given, where),
        *_wrong(found, ports, given, where),
    ]
    if problems:
        raise RunRefused(problems)
    static = {name: given.get(name, found.defaults.get(name)) for name in found.static}
    return Bound(static, {name: value for name, value in given.items() if name not in found.static})


def encode_params(ports: tuple[Port, ...], given: Mapping[str, Any], values: Values) -> dict[str, Json]:
    """The trees of all run-time parameters, defaults included; puts their objects into the store.

    Args:
        ports: the traced pipeline's parameters.
        given: the values that were given; the others have defaults.
        values: the store's values.

    Raises:
        ValueRefused: a value can't be kept.
    """
    trees: dict[str, Json] = {}
    for port in ports:
        if port.name in given:
            trees[port.name] = _encoded(port, given[port.name], values)
        else:
            assert port.default is not None  # `bind` has seen that it has one
            trees[port.name] = json.loads(port.default)
    return trees


def _encoded(port: Port, value: object, values: Values) -> Json:
    what = f"parameter `{port.name}`"
    try:
        return values.encode(value, port.type, what)
    except ValueRefused as error:  # of a file, what is told is only the file
        raise ValueRefused(
            d if d.what.startswith(what) else Diagnostic(d.code, f"{what}: {d.what}", d.where, d.fix, d.excerpt)
            for d in error.diagnostics
        ) from error.__cause__


def _missing(found: Signature, given: Mapping[str, object], where: Span | None, partly: bool) -> Iterator[Diagnostic]:
    for name in found.names:
        if name in given or name in found.defaults or (partly and name not in found.static):
            continue
        text = _type_of(found, name)
        yield Diagnostic(
            "R541",
            f"parameter `{name}` ({text}) is missing",
            where,
            f"give it a value, or give it a default in the pipeline (on the command line: --{name.replace('_', '-')})",
        )


def _unknown(found: Signature, given: Mapping[str, object], where: Span | None) -> Iterator[Diagnostic]:
    for name in given:
        if name not in found.names:
            fix = f"it takes {', '.join(found.names)}" if found.names else "it takes no parameters"
            yield Diagnostic("R542", f"there is no parameter `{name}`{did_you_mean(name, found.names)}", where, fix)


def _wrong(
    found: Signature, ports: Mapping[str, Port], given: Mapping[str, object], where: Span | None
) -> Iterator[Diagnostic]:
    from drawloom.values.conform import conform  # only a run needs it, tracing doesn't

    for name, value in given.items():
        type_ = ports[name].type if name in ports else found.static.get(name)
        problem = conform(value, type_) if type_ is not None else None
        if problem is not None:
            fix = f"give a value of the type {type_}, or change the annotation; nothing is converted in silence"
            yield Diagnostic("R543", f"parameter `{name}`: {problem}", where, fix)


def _type_of(found: Signature, name: str) -> str:
    types = {port.name: port.type for port in found.ports} | found.static
    return str(types[name])


def _as_path_type(value: object, type_: Type) -> object:
    """A path where a `File` or a `Directory` is wanted becomes one; the one conversion there is."""
    names = {type_.name, *(member.name for member in type_.args if type_.name == "union")}
    if not isinstance(value, (str, os.PathLike)) or (isinstance(value, str) and names & {"str", "any", "literal"}):
        return value
    if names & {"file", "directory"}:
        from drawloom.values.files import Directory, File  # only where one is wanted

        folder = "directory" in names and ("file" not in names or os.path.isdir(value))
        return Directory(value) if folder else File(value)
    return value
