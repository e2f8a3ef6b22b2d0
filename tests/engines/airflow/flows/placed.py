"""Tasks that say what they run in, and tell what that is."""

from __future__ import annotations

import os
from pathlib import Path

from drawloom import Pod, Resources, Volume, pipeline, task

__all__ = ["placed"]


@task(cache=False)
def number() -> str:
    return os.environ["IMAGE_NUMBER"]


@task(
    image="drawloom-test/python:2",
    resources=Resources(memory="256Mi"),
    pod=Pod(volumes=[Volume("/var/scratch", empty_dir=True), Volume("/srv/shared", claim="shared", read_only=True)]),
    cache=False,
)
def limited(first: str) -> list[str]:
    """The image, the variables, the limit in bytes, what is mounted."""
    Path("/var/scratch/here").write_text("x")
    shared = Path("/srv/shared/told").read_text()
    limit = Path("/sys/fs/cgroup/memory.max")
    older = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
    found = (limit if limit.exists() else older).read_text().strip()
    return [first, os.environ["IMAGE_NUMBER"], os.environ["GREETING"], os.environ["TOKEN"], found, shared]


@pipeline
def placed() -> list[str]:
    return limited(number())
