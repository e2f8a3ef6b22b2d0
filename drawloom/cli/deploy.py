"""`drawloom deploy`: gives a pipeline to an engine that exists, and watches its run."""

from __future__ import annotations

from typing import Any

import click

from drawloom.catalog.commands import RunAddress, command
from drawloom.cli.operate import watch_to_the_end
from drawloom.cli.options import json_option
from drawloom.cli.output import note, output_to_stderr, write, write_json
from drawloom.cli.problems import OK
from drawloom.cli.times import take_times, time_options
from drawloom.cli.typed import TargetCommand, param_option, target_of, typed_values
from drawloom.project import Overrides, load_settings

__all__ = ["deploy"]


@click.command(cls=TargetCommand)
@click.argument("target", metavar="PIPELINE")
@click.option("--target", "deployed", metavar="NAME", required=True, help="Where to: a [targets.NAME] of the project.")
@param_option
@click.option("--run/--no-run", "start", default=True, help="Whether a run is started (default yes).")
@click.option("--wait/--no-wait", default=True, help="Whether the run is watched to its end (default yes).")
@time_options
@click.option("--profile", metavar="NAME", help="Profile of the project file to use.")
@click.option("--project", metavar="NAME", help="Name of the project in the catalog.")
@json_option
@click.option("--quiet", "-q", is_flag=True, help="No progress; only the summary, or what --json prints.")
@click.pass_context
def deploy(
    ctx: click.Context,
    /,
    target: str,  # noqa: ARG001  # read by TargetCommand
    deployed: str,
    param: tuple[str, ...],
    start: bool,
    wait: bool,
    profile: str | None,
    project: str | None,
    as_json: bool,
    quiet: bool,
    **values: Any,
) -> int:
    """Deploy a pipeline to an engine, and watch its run.

    PIPELINE is file.py:name, module:name, or a short name of [pipelines] in the project file. The pipeline is checked,
    compiled, and published into the store of the target; then a run of it is started there, and watched. Ctrl-C ends
    the watching, not the run. The pipeline's parameters become options: they come after PIPELINE.
    """
    from drawloom.deploying import deploy_to
    from drawloom.project.targets import find_target

    params = typed_values(ctx, param, values)
    times = take_times(values)
    settings = load_settings(Overrides(profile=profile, project=project))
    place = find_target(deployed, settings)
    with output_to_stderr():
        made = deploy_to(
            target_of(ctx), place, params, run=start, allow_pickle=settings.allow_pickle, times=times, note=note
        )
    objects = [{"kind": o.kind, "namespace": o.namespace, "name": o.name, "done": o.done} for o in made.objects]
    document = {"target": made.target, "pipeline": made.pipeline, "program": made.program, "objects": objects}
    watched = start and wait and made.deployed is not None
    tell = note if as_json or watched else write
    if not as_json and not quiet:
        for one in made.objects:
            tell(f"{one.done:<10}{one.kind} {one.namespace}/{one.name}")
    if watched:
        assert made.deployed is not None
        return watch_to_the_end(made.deployed, as_json=as_json, quiet=quiet, document={"deployment": document})
    if as_json:
        write_json({**document, "run": made.run or None})
    elif made.run:
        write(f"run       {made.run}    {command('watch', RunAddress(made.run, made.target))}")
    else:
        write(f"{made.pipeline}: program {made.program[:12]} is at {made.target}; no run was started")
    return OK
