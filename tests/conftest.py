"""Shared fixtures: an S3 server on a free port, every kind of storage, and a disk that is soon full."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from drawloom.storage.base import Storage
from drawloom.storage.local import LocalStorage
from drawloom.storage.prefixed import Prefixed

BUCKET = "lake"
# how fast examples are made says something of the machine, and of nothing else
settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("patient")
# tests write a module anew within a second, and Python knows older bytecode by its second and its size
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ.pop("PYTHONUNBUFFERED", None)  # else what nobody flushes seems to be flushed
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: what is started here hears Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by `nohup`: what is started here hears a closed terminal
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_session(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Indexes of the stores that tests make go with them, instead of filling the folder of whoever runs the tests."""
    os.environ.setdefault("DRAWLOOM_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto's S3 behind a server that keeps connections, as S3 does.

    moto looks whether a key is there and then puts it: one PUT at a time makes that one step, as it is on S3.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    app: Any = DomainDispatcherApplication(create_backend_app)
    puts = threading.Lock()

    def one_put_at_a_time(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] != "PUT":
            return app(environ, start)
        with puts:
            return app(environ, start)

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *arguments: object) -> None:
            pass

    server = make_server("127.0.0.1", 0, one_put_at_a_time, threaded=True, request_handler=Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def s3_variables(s3_endpoint: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.fixture(scope="session")
def bucket(s3_variables: dict[str, str]) -> str:
    from drawloom.storage.s3_http import S3Endpoint

    endpoint = S3Endpoint(BUCKET, f"s3://{BUCKET}", s3_variables)
    assert endpoint.request("PUT", "").status == 200
    endpoint.close()
    return BUCKET


@pytest.fixture
def s3_url(bucket: str, s3_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh `s3://bucket/prefix`, the environment set for it."""
    for name, value in s3_variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket}/Team A/{uuid.uuid4().hex}"


def _local(request: pytest.FixtureRequest) -> Storage:
    return LocalStorage(str(request.getfixturevalue("tmp_path") / "store"))


def _local_durable(request: pytest.FixtureRequest) -> Storage:
    return LocalStorage(str(request.getfixturevalue("tmp_path") / "store"), durable=True)


def _local_without_links(request: pytest.FixtureRequest) -> Storage:
    def refuse(source: str, target: str) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    request.getfixturevalue("monkeypatch").setattr(os, "link", refuse)
    return _local(request)


def _s3(request: pytest.FixtureRequest) -> Storage:
    from drawloom.storage.s3 import S3Storage

    return S3Storage(request.getfixturevalue("s3_url"))


def _s3fs(request: pytest.FixtureRequest) -> Storage:
    from drawloom.storage.remote import S3fsStorage

    return S3fsStorage(request.getfixturevalue("s3_url"))


def _memory(request: pytest.FixtureRequest) -> Storage:
    from drawloom.storage.remote import MemoryStorage

    return MemoryStorage(f"memory://{uuid.uuid4().hex}")


KINDS: dict[str, Callable[[pytest.FixtureRequest], Storage]] = {
    "local": _local,
    "local-durable": _local_durable,
    "local-without-links": _local_without_links,
    "s3": _s3,
    "s3fs": _s3fs,
    "memory": _memory,
    "prefixed-local": lambda request: Prefixed(_local(request), "projects/x/"),
    "prefixed-s3": lambda request: Prefixed(_s3(request), "projects/x/"),
    "prefixed-s3fs": lambda request: Prefixed(_s3fs(request), "projects/x/"),
}


@pytest.fixture(params=sorted(KINDS))
def storage(request: pytest.FixtureRequest) -> Storage:
    return KINDS[request.param](request)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk can't be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
