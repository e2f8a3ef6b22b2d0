"""`drawloom doctor`: whether everything drawloom needs is there, and what to do where it isn't."""

from __future__ import annotations

from typing import Any

import click

from drawloom.cli.options import catalog_options, json_option
from drawloom.cli.output import Column, table, write, write_json
from drawloom.cli.problems import FAILED, OK
from drawloom.project import Overrides

__all__ = ["doctor"]


@click.command()
@click.option("--target", "deployed", metavar="NAME", help="Also look at this target of the project file.")
@click.option("--from-pod", is_flag=True, help="With --target: start a pod there that tries the store, too.")
@catalog_options
@json_option
@click.pass_context
def doctor(ctx: click.Context, /, deployed: str | None, from_pod: bool, as_json: bool, **values: Any) -> None:
    """Check this machine, the project and its catalog.

    Each check is ok, a note (something that is there only if you want it), or a problem with what to do about it. Ends
    with 1 if there is a problem. Writes nothing but a probe into a catalog that is there, and removes it.

    With --target it is seen whether the engine can be reached and used, and has what the target names.
    """
    from drawloom.cli.doctor_checks import run_checks

    if from_pod and deployed is None:
        raise click.UsageError("--from-pod goes with --target")
    checks = run_checks(Overrides(**values))
    if deployed is not None:
        from drawloom.cli.doctor_target import target_checks  # only with --target

        checks += target_checks(deployed, Overrides(**values), from_pod=from_pod)
    problems = [check for check in checks if check.state == "problem"]
    if as_json:
        told = [{"check": c.name, "state": c.state, "what": c.what, "fix": c.fix} for c in checks]
        write_json({"ok": not problems, "checks": told})
    else:
        columns = [Column("check", whole=True), Column("", whole=True), Column("found")]
        table(columns, [[c.name, c.state, " ".join(c.what.split())] for c in checks])
        for check in checks:
            if check.fix:
                write(f"\n{check.name}: {check.what}\n  fix    {check.fix}")
        write(f"\n{len(problems)} problem{'' if len(problems) == 1 else 's'}")
    ctx.exit(FAILED if problems else OK)
