"""What README says of an Argo of one's own: its commands, on the cluster, with the results of a local run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from drawloom.catalog.catalog import Catalog

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "hotel_rates"
LONGEST_SECONDS = 1200.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS)


def test_the_readmes_deployment_gives_what_a_local_run_gives(
    tmp_path: Path, facts: dict[str, Any], lake: dict[str, str], secret: str
) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition("## On an Argo of yours")[2].partition("\n## ")[0]
    folder, *commands = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1].splitlines()  # type: ignore[index]  # README has it
    assert folder == "cd examples/hotel_rates"
    shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__", ".drawloom"))
    store = f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
    _own(tmp_path / "project" / "drawloom.toml", facts, store, secret)
    environment = {**os.environ, **lake, "KUBECONFIG": facts["kubeconfig"], "NO_COLOR": "1"}
    for command in commands:
        name, *arguments = shlex.split(command, comments=True)
        assert name == "drawloom"
        done = subprocess.run(
            [sys.executable, "-m", "drawloom", *arguments],
            cwd=tmp_path / "project",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    local = [sys.executable, "-m", "drawloom", "run", "hotel_rates", "--bookings", "hotel_rates.csv", "--quiet"]
    subprocess.run([*local, "--catalog", "here"], cwd=tmp_path / "project", check=True, capture_output=True)
    there, here = (_versions(Catalog.open(url, "hotel_rates")) for url in (store, str(tmp_path / "project" / "here")))
    assert there == here


def _own(file: Path, facts: dict[str, Any], store: str, secret: str) -> None:
    """Puts the cluster's store, image, account and Secret into the target, as the page asks its reader to."""
    written = tomllib.loads(file.read_text("utf-8"))["targets"]["argo"]
    own = {
        written["store"]: store,
        written["image"]: facts["images"]["packages"],
        written["env_from_secrets"][0]: secret,
        f'namespace = "{written["namespace"]}"': f'namespace = "{facts["namespace"]}"',
        f'service_account = "{written["service_account"]}"': f'service_account = "{facts["service_account"]}"',
    }
    text = file.read_text("utf-8")
    for old, new in own.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


def _versions(catalog: Catalog) -> dict[str, list[str]]:
    """Artifact -> the digests of its versions; the picture left out, which holds when it was drawn."""
    return {
        artifact.name: [version.digest for version in artifact.versions]
        for artifact in catalog.artifacts()
        if not artifact.name.endswith("report")
    }
