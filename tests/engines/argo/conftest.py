"""The cluster that `up` has started, its facts and its client; without one these tests aren't run.

`TEST_ARGO` is the path of its `cluster.json`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

CONFORMANCE = Path(__file__).parents[2] / "conformance"
sys.path[:0] = [path for path in (str(CONFORMANCE), str(CONFORMANCE / "programs")) if path not in sys.path]
FACTS = os.environ.get("TEST_ARGO", "")
collect_ignore_glob = [] if FACTS else ["test_*.py"]  # `make test-argo` starts one


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    """What `up` tells of the cluster."""
    found: dict[str, Any] = json.loads(Path(FACTS).read_text("utf-8"))
    return found


@pytest.fixture(scope="session")
def lake(facts: dict[str, Any]) -> dict[str, str]:
    """The variables that S3 is reached by, from here and from pods."""
    s3 = facts["s3"]
    found = {
        "AWS_ACCESS_KEY_ID": s3["access_key"],
        "AWS_SECRET_ACCESS_KEY": s3["secret_key"],
        "AWS_REGION": s3["region"],
        "AWS_DEFAULT_REGION": s3["region"],
        "AWS_ENDPOINT_URL": s3["endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(found)
    return found


@pytest.fixture(scope="session")
def api(facts: dict[str, Any]) -> Any:
    """The client of the cluster."""
    from kubernetes import client, config

    config.load_kube_config(config_file=facts["kubeconfig"])
    return client.CustomObjectsApi()


os.environ.setdefault("DRAWLOOM_SECRET_CONFORMANCE", "open-sesame")  # of the program `secret_values`
