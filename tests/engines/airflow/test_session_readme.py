"""What README says of an Airflow of one's own: its commands, on a real session, with the results of a local run."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest
from readme_commands import copied_example, local_versions, run_section, versions_of, with_own
from session import PASSWORD, USER, Session

LONGEST_SECONDS = 300.0
pytestmark = [pytest.mark.timeout(LONGEST_SECONDS + 120), pytest.mark.xdist_group("airflow")]


def test_the_readmes_deployment_gives_what_a_local_run_gives(tmp_path: Path, airflow: Session) -> None:
    project = copied_example(tmp_path / "project")
    file = project / "drawloom.toml"
    written = tomllib.loads(file.read_text("utf-8"))["targets"]["airflow"]
    store = str(tmp_path / "store")
    own = {
        written["server"]: airflow.url,
        f'username = "{written["username"]}"': f'username = "{USER}"',
        written["dags"]: str(airflow.dags),
        written["python"]: sys.executable,
    }
    with_own(file, own)
    head, _, tail = file.read_text("utf-8").partition("[targets.airflow]")
    file.write_text(head + "[targets.airflow]" + tail.replace(written["store"], store), "utf-8")
    run_section("On an Airflow of yours", project, {**os.environ, written["password_env"]: PASSWORD}, LONGEST_SECONDS)
    assert versions_of(store) == local_versions(project)
