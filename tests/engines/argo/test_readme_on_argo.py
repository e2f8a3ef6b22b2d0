"""What README says of an Argo of one's own: its commands, on the cluster, with the results of a local run."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from readme_commands import copied_example, local_versions, run_section, versions_of, with_own

LONGEST_SECONDS = 1200.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS)


def test_the_readmes_deployment_gives_what_a_local_run_gives(
    tmp_path: Path, facts: dict[str, Any], lake: dict[str, str], secret: str
) -> None:
    project = copied_example(tmp_path / "project")
    store = f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
    written = tomllib.loads((project / "drawloom.toml").read_text("utf-8"))["targets"]["argo"]
    own = {
        written["store"]: store,
        written["image"]: facts["images"]["packages"],
        written["env_from_secrets"][0]: secret,
        f'namespace = "{written["namespace"]}"': f'namespace = "{facts["namespace"]}"',
        f'service_account = "{written["service_account"]}"': f'service_account = "{facts["service_account"]}"',
    }
    with_own(project / "drawloom.toml", own)
    environment = {**os.environ, **lake, "KUBECONFIG": facts["kubeconfig"]}
    run_section("On an Argo of yours", project, environment, LONGEST_SECONDS)
    assert versions_of(store) == local_versions(project)
