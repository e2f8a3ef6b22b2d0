"""How much a step asks of its store, and a compiled run whose store and bundle are on S3."""

from __future__ import annotations

import pytest
import step_samples as samples

from drawloom.compilers.reference import compile_reference
from drawloom.dsl.tracing import trace
from drawloom.ir.operands import Output
from drawloom.ir.protocol import DONE
from drawloom.runtimes import step as step_module
from drawloom.runtimes.context import StepContext, read_started
from drawloom.runtimes.reference import run_bundle

OPERATIONS = ("read", "write", "create", "exists", "size_bytes", "keys", "create_from_file", "read_to_file")


class Counting:
    """A storage that notes what is asked of it."""

    def __init__(self, storage):
        self._storage = storage
        self.asked = []

    def __getattr__(self, name):
        if name in OPERATIONS:
            self.asked.append(name)
        return getattr(self._storage, name)


@pytest.fixture
def counted(monkeypatch):
    opened = []
    real = step_module.open_project

    def open_counted(url, project, faults=""):
        opened.append(Counting(real(url, project, faults)))
        return opened[-1]

    monkeypatch.setattr(step_module, "open_project", open_counted)
    return opened


def test_a_step_of_a_task_without_inputs_makes_six_requests(publish, counted):
    flow = publish(samples.chain)
    flow.begin({"start": 1})
    assert flow.step("first") == DONE
    # the run, the slice, whether the run is over, that the attempt began, the commit, that it ended
    assert counted[0].asked == ["read", "read", "exists", "create", "create", "create"]


def test_an_input_is_one_request_more(publish, counted):
    flow = publish(samples.writing)
    flow.begin({"path": str(flow.folder / "lines")})
    flow.step("write")
    assert len(counted[0].asked) == 6  # parameters come with the run


def test_every_further_consumer_of_a_fan_out_reads_one_manifest(publish, counted):
    flow = publish(samples.deciding)
    flow.begin({"numbers": list(range(20)), "limit": 1})
    flow.step("sums:decide")
    flow.step("sums/add", ";".join(str(k) for k in range(20)))
    flow.step("grown:decide", "0")
    flow.step("branch:decide")
    flow.step(":end")
    storage = Counting(flow.catalog.storage)
    context = StepContext(storage, read_started(storage, flow.reference), ":end")
    assert context.values.decode(context.tree(Output("sums"), ())) == [n + 1 for n in range(20)]
    assert storage.asked == ["read", "read", "read"]  # the run, the slice, the manifest


@pytest.fixture
def bucket(monkeypatch):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, text in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, text)
    from http.client import HTTPConnection

    connection = HTTPConnection(host, port)
    connection.request("PUT", "/loom")
    assert connection.getresponse().status == 200
    connection.close()
    yield "s3://loom/team"
    server.stop()


def test_a_compiled_run_needs_nothing_but_a_bucket(bucket, tmp_path):
    compile_reference(trace(samples.deciding, {}).program).write(tmp_path / "build")
    run = run_bundle(
        tmp_path / "build",
        {"numbers": [1, 2], "limit": 3},
        bucket,
        bare=True,
        environment={"DRAWLOOM_CACHE": str(tmp_path / "cache")},  # so that the stub fetches the bundle
    )
    assert run.result == ([2, 3], 5)
    assert run.state == "succeeded"
