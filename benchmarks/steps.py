"""The start of an empty step over a bare interpreter, with a local store and with an S3 stand-in."""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.empty import empty
from benchmarks.timing import REPEATS
from drawloom.api import compile as compile_pipeline
from drawloom.catalog import keys
from drawloom.catalog.catalog import Catalog
from drawloom.runtimes.engine_process import stub_text
from drawloom.runtimes.publish import publish_program
from drawloom.runtimes.reference import begin_text

_WHOLE: Final = Path(__file__).parents[1]


class _Engine:
    """As much of an engine as it takes to start `begin` and one step."""

    def __init__(self, store: str, folder: str, requests: list[str], project: Path) -> None:
        self.store, self.folder, self.requests = store, folder, requests
        self.catalog = Catalog.open(store)
        files = compile_pipeline(empty, "reference", root=str(project))
        self.program = json.loads(files["engine.json"])["program"]
        sha = publish_program(self.catalog.storage, files, self.program)
        bundle = f"{self.catalog.storage.url}/{keys.bundle_key(sha)}"
        self.command = [sys.executable, "-I", "-c", stub_text(), bundle, sha]
        self.numbers = iter(range(1_000))

    def call(self, module: str, *arguments: str, cache: str = "") -> tuple[float, str]:
        """Milliseconds of one process, and its `--out` folder."""
        out = os.path.join(self.folder, str(next(self.numbers)))
        os.mkdir(out)
        environment = {**os.environ, "DRAWLOOM_CACHE": cache or self.folder}
        command = [*self.command, module, "--store", self.store, "--project", "default", *arguments, "--out", out]
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return (time.perf_counter() - begin) * 1000, out

    def step(self, *, fresh: bool = False) -> float:
        """Milliseconds of one step of a run of its own.

        Args:
            fresh: as in a new container: the bundle must be fetched and unpacked, and nothing is compiled yet.
        """
        asked = begin_text(self.catalog, {"n": 1}, os.urandom(4).hex())
        _, out = self.call("begin", "--program", self.program, "--run", asked)
        reference = Path(out, "run").read_text(encoding="ascii")
        self.requests.clear()
        asked = ("--run", reference, "--step", "nothing", "--index", "-", "--attempt", "1")
        with tempfile.TemporaryDirectory() as cache:
            return self.call("step", *asked, cache=cache if fresh else "")[0]


def _bare() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
    return (time.perf_counter() - begin) * 1000


def _medians(
    store: str, requests: list[str], *, fresh: bool = False, project: Path = _WHOLE
) -> tuple[float, float, int]:
    """Milliseconds of a step and of a bare interpreter, interleaved; and how many requests the last step made."""
    with tempfile.TemporaryDirectory() as folder:
        engine = _Engine(store, folder, requests, project)
        engine.step()
        pairs = [(engine.step(fresh=fresh), _bare()) for _ in range(REPEATS)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs), len(requests)


def rows() -> Iterator[tuple[str, str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        step, bare, _ = _medians(folder, [])
    yield "an empty step, local store", f"+{step - bare:.0f} ms", f"bare {bare:.0f} ms", "<= 30 ms"
    with _s3() as requests:
        step, bare, trips = _medians("s3://bench/store", requests)
        fresh = [(what, _medians("s3://bench/store", requests, fresh=True, project=p)) for what, p in _projects()]
    yield (
        "an empty step, S3 (moto)",
        f"+{step - bare:.0f} ms, {trips} round trips",
        f"bare {bare:.0f} ms",
        "<= 150 ms, 6",
    )
    for what, (new, still, fetched) in fresh:
        measured = f"+{new - still:.0f} ms, {fetched} round trips"
        yield f"... in a new container, {what}", measured, f"bare {still:.0f} ms", "<= 300 ms"


def _projects() -> Iterator[tuple[str, Path]]:
    """A project as users have them, and one of a thousand files: this repository."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "benchmarks")
        own.mkdir()
        for name in ("__init__.py", "empty.py"):
            (own / name).write_text(Path(__file__).with_name(name).read_text("utf-8"), "utf-8")
        yield "a project of two files", Path(folder)
    yield "a project of a thousand files", _WHOLE


@contextmanager
def _s3() -> Iterator[list[str]]:
    """An S3 stand-in in this process, with a bucket `bench`; the list grows by each request it answers."""
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    requests: list[str] = []
    moto = DomainDispatcherApplication(create_backend_app)

    def counting(environ: Any, start_response: Any) -> Any:  # a WSGI application
        requests.append(environ["PATH_INFO"])
        return moto(environ, start_response)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, counting, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        boto3.client("s3").create_bucket(Bucket="bench")
        yield requests
    finally:
        server.shutdown()
