"""The `drawloom` command: names its sub-commands, and imports the module of the one that is used.

Imports nothing but click, so that `drawloom --help` answers at once.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import click

__all__ = ["LazyGroup", "cli", "main"]

_COMPLETE: Final = "_DRAWLOOM_COMPLETE"  # set by the script of `drawloom completion` when it asks

# name -> (where the command is, what it does in one line; a test holds the line against the command's own)
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("drawloom.cli.run:run", "Run a pipeline here, in parallel, cached and catalogued."),
    "plan": ("drawloom.cli.plan:plan", "Tell what a run would do with each node, and why."),
    "check": ("drawloom.cli.check:check", "Tell every problem of a pipeline at once."),
    "compile": ("drawloom.cli.compile:compile_", "Write what an engine needs to run a pipeline."),
    "image": ("drawloom.cli.image:image", "Write Dockerfiles and locks for packages that tasks need."),
    "push": ("drawloom.cli.push:push", "Put a compiled pipeline into the store its steps read from."),
    "deploy": ("drawloom.cli.deploy:deploy", "Deploy a pipeline to an engine, and watch its run."),
    "graph": ("drawloom.cli.graph:graph", "Draw a pipeline, or a run with its states."),
    "runs": ("drawloom.cli.runs:runs", "List runs, the latest first."),
    "show": ("drawloom.cli.runs:show", "Show a run, or one node of it."),
    "logs": ("drawloom.cli.runs:logs", "Print what a node printed and logged."),
    "watch": ("drawloom.cli.operate:watch", "Watch a deployed run to its end."),
    "cancel": ("drawloom.cli.operate:cancel", "End a deployed run; what it has done is kept."),
    "retry": ("drawloom.cli.operate:retry", "Run what is left of a deployed run, there."),
    "suspend": ("drawloom.cli.operate:suspend", "Let a deployed run start nothing more; what runs goes on."),
    "unsuspend": ("drawloom.cli.operate:unsuspend", "Let a suspended run go on."),
    "why": ("drawloom.cli.why:why", "Tell why a node was run, cached, skipped or failed."),
    "impact": ("drawloom.cli.impact:impact", "Tell what would be stale if a function or an artifact changed."),
    "diff": ("drawloom.cli.diff:diff", "Tell what differs between two runs."),
    "debug": ("drawloom.cli.again:debug", "Run a node of a run again, here, with its exact inputs."),
    "resume": ("drawloom.cli.again:resume", "Run what is left of a run that didn't succeed."),
    "doctor": ("drawloom.cli.doctor:doctor", "Check this machine, the project and its catalog."),
    "catalog": ("drawloom.cli.catalog:catalog", "Look into the catalog: every version of every value."),
    "engines": ("drawloom.cli.engines:engines", "Show which engine can do what."),
    "completion": ("drawloom.cli.completion:completion", "Print what makes a shell complete drawloom's commands."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is asked for.

    Args:
        lazy: name -> (`module:attribute` of the command, its help in one line).
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] = {}, **kwargs: Any) -> None:  # read only
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The names, in the order they were given."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, its module imported; None if there is none."""
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if _COMPLETE in os.environ:
            from drawloom.cli.complete_values import attach  # only where a shell asks what may come next

            attach(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a hint where the name is nearly right."""
        if args and args[0] not in self.lazy and not args[0].startswith("-"):
            from drawloom.errors import did_you_mean  # an error may take its time

            ctx.fail(f"there is no command `{args[0]}`{did_you_mean(args[0], self.lazy)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, from the table rather than from the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])


class _Root(LazyGroup):
    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Runs a command line, tells errors as diagnostics on stderr, and exits with the documented code."""
        kwargs["standalone_mode"] = False
        if _COMPLETE in os.environ:
            importlib.import_module("drawloom.cli.completion")  # it teaches click about `file.py:name` in bash
        for stream in (sys.stdout, sys.stderr):
            # a name or a value may hold what the terminal can't show: escaped, not a crash
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().main(*args, **kwargs)
            code = result if isinstance(result, int) else 0
            from drawloom.cli.streams import flush  # not before a command that fails could tell why

            flush()
        except BaseException as error:  # noqa: BLE001  # the last place that can tell it well
            from drawloom.cli.problems import exit_code_for  # only where something went wrong

            code = exit_code_for(error)
        sys.exit(code)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from drawloom import __version__  # the package is loaded already

        click.echo(f"drawloom {__version__}")
        ctx.exit()


@click.group(
    cls=_Root,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command has --help of its own; `drawloom run TARGET --help` shows the pipeline's parameters.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Write a pipeline once as plain typed Python, run it anywhere, and have every value in it versioned."""


def main() -> NoReturn:
    """The console script."""
    cli.main(prog_name="drawloom")
