"""Commands that take a TARGET, and get an option for each parameter of the pipeline it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

from drawloom.cli.problems import TARGET
from drawloom.cli.target import load_target
from drawloom.dsl.pipeline import Pipeline
from drawloom.dsl.place import function_span
from drawloom.errors import Diagnostic, ProjectError
from drawloom.parameters.signature import Given, Parameter, parameters_of, read_parameters
from drawloom.project import find_project

__all__ = ["TargetCommand", "param_option", "target_of", "typed_values"]

_PREFIX: Final = "typed_"
_PIPELINE: Final = "drawloom.pipeline"
_TYPED: Final = "drawloom.typed"
_GIVEN: Final = re.compile(r"(?s)([^=:]+)(:?=)(.*)")


def param_option(function: Any) -> Any:
    """--param, for parameters whose name one of the command's own options has."""
    return click.option(
        "--param",
        multiple=True,
        metavar="NAME=TEXT",
        help="Give a parameter by name; NAME:=JSON gives its value as JSON.",
    )(function)


class TargetCommand(click.Command):
    """A command whose first argument is TARGET, and whose other options come from the pipeline's signature.

    Args:
        static_only: whether only compile-time parameters can be given.
    """

    def __init__(self, *args: Any, static_only: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.static_only = static_only

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Finds TARGET, imports the pipeline, and parses again with its parameters as options."""
        # in `drawloom run report.py:p --max_depth 3` the name may be written as in Python
        ctx.token_normalize_func = lambda name: name.replace("_", "-")
        target = _target_among(args, self.params, ctx)
        if target is not None and not ctx.resilient_parsing and self.names_pipeline(target):
            pipeline = load_target(target, find_project(os.getcwd()))
            ctx.meta[_PIPELINE] = pipeline
            ctx.meta[TARGET] = target if " " not in target else f"'{target}'"
            found = parameters_of(pipeline.function, function_span(pipeline.function))
            wanted = [p for p in found if p.static or not self.static_only]
            ctx.meta[_TYPED] = list(_options_for(wanted, self.params))
        elif target is not None and ctx.resilient_parsing and self.names_pipeline(target):
            from drawloom.cli.complete_values import pipeline_options  # a shell asks: nothing may be imported

            taken = {name for p in self.params for name in (*p.opts, *p.secondary_opts)}
            ctx.meta[_TYPED] = [o for o in pipeline_options(target) if not taken & {*o.opts, *o.secondary_opts}]
        return super().parse_args(ctx, args)

    def names_pipeline(self, target: str) -> bool:  # noqa: ARG002  # a command may take something else as well
        """Whether the first argument is a TARGET."""
        return True

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, and those of the pipeline once it is known."""
        typed: list[click.Parameter] = ctx.meta.get(_TYPED, [])
        return [*super().get_params(ctx), *typed]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The pipeline's parameters first, under a heading of their own."""
        typed = ctx.meta.get(_TYPED, [])
        if typed:
            with formatter.section(f"Parameters of {ctx.meta[_PIPELINE].name}"):
                formatter.write_dl([record for p in typed if (record := p.get_help_record(ctx)) is not None])
        own = [p.get_help_record(ctx) for p in self.get_params(ctx) if p not in typed and isinstance(p, click.Option)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record is not None])


def _target_among(args: Sequence[str], own: Iterable[click.Parameter], ctx: click.Context) -> str | None:
    """The first argument that is neither an option nor an option's value."""
    options = {name: o for o in own if isinstance(o, click.Option) for name in (*o.opts, *o.secondary_opts)}
    position = 0
    while position < len(args):
        text = args[position]
        if text == "--":
            return args[position + 1] if position + 1 < len(args) else None
        if not text.startswith("-") or text == "-":
            return text
        name, given, _ = text.partition("=")
        option = options.get(name)
        if option is None and name.startswith("--") and name != "--help":
            ctx.fail(f"`{name}` stands before TARGET: name the pipeline first, then its parameters")
        position += 1 if option is None or option.is_flag or given else 2
    return None


def _options_for(parameters: Iterable[Parameter], own: Iterable[click.Parameter]) -> Iterable[click.Option]:
    taken = {"--help", *(name for p in own for name in (*p.opts, *p.secondary_opts))}
    for parameter in parameters:
        option = _option(parameter)
        names = {*option.opts, *option.secondary_opts}
        if names & taken:  # has to be given with --param
            option = _NamedOnly(parameter)
        taken |= names
        yield option


def _option(parameter: Parameter) -> click.Option:
    name = parameter.name.replace("_", "-")
    key = f"{_PREFIX}{parameter.name}"
    if parameter.is_flag:
        return click.Option([key, f"--{name}/--no-{name}"], default=None, help=_help(parameter))
    return click.Option([key, f"--{name}"], multiple=True, metavar=_metavar(parameter), help=_help(parameter))


class _NamedOnly(click.Option):
    """Stands in the help for a parameter whose name one of the command's options has; is never parsed."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__([f"named_{parameter.name}", f"--param {parameter.name}"], expose_value=False)
        self.record = (f"--param {parameter.name}={_metavar(parameter)}", _help(parameter))

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:  # noqa: ARG002  # click's signature
        """The line in the help."""
        return self.record


def _metavar(parameter: Parameter) -> str:
    text = parameter.type_text
    return text.upper() if text.isidentifier() else "VALUE"


def _help(parameter: Parameter) -> str:
    parts = [parameter.type_text]
    if parameter.takes_many:
        parts.append("give it once for each item, or as JSON")
    parts.append("required" if parameter.required else f"default {_shown(parameter.default)}")
    return "; ".join(parts)


def _shown(default: object) -> str:
    text = getattr(default, "name", None) if hasattr(type(default), "__members__") else None
    shown = str(text) if text is not None else repr(default)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def target_of(ctx: click.Context) -> Pipeline[..., Any]:  # Any: whatever the pipeline returns
    """The pipeline that TARGET names."""
    pipeline: Pipeline[..., Any] = ctx.meta[_PIPELINE]
    return pipeline


def typed_values(ctx: click.Context, named: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """The values given for the pipeline's parameters.

    Args:
        ctx: the command's context.
        named: what --param was given.
        options: all options' values; those of the pipeline's parameters are taken out.

    Returns:
        Parameter name -> value, for the parameters that were given.

    Raises:
        ProjectError: a text is no value of its type (P620), there is no such parameter (P621), or a parameter is given
            in two ways or without a value (P622).
    """
    pipeline = target_of(ctx)
    parameters = parameters_of(pipeline.function, function_span(pipeline.function))
    given: dict[str, Given] = {}
    for key in [key for key in options if key.startswith(_PREFIX)]:
        value, name = options.pop(key), key.removeprefix(_PREFIX)
        source = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            given[name] = Given(["true" if value else "false"], source=source)
        elif value:
            given[name] = Given(list(value), source=source)
    for name, texts in _named(named).items():
        if name in given:
            raise ProjectError(_twice(name, f"{given[name].source} and {texts.source}"))
        given[name] = texts
    return read_parameters(parameters, given)


def _named(texts: Sequence[str]) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for text in texts:
        parts = _GIVEN.fullmatch(text)
        if parts is None:
            fix = "write `--param name=text`, or `--param name:=json`"
            raise ProjectError(Diagnostic("P622", f"`--param {text}` gives no parameter a value", None, fix))
        name, json = parts[1].strip(), parts[2] == ":="
        earlier = found.get(name)
        if earlier is not None and (json or earlier.json):
            raise ProjectError(_twice(name, "--param, once as JSON"))
        found[name] = Given([*(earlier.texts if earlier else ()), parts[3]], json, f"--param {name}")
    return found


def _twice(name: str, sources: str) -> Diagnostic:
    return Diagnostic("P622", f"parameter `{name}` is given twice: {sources}", None, "give it in one way")
