"""A pipeline in a project with targets, and servers that answer as Kubernetes and Argo answer when they refuse."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PLACES = str(Path(__file__).parent)
if PLACES not in sys.path:
    sys.path.insert(0, PLACES)

_OPENSSL = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
_OPENSSL += ["-addext", "subjectAltName=IP:127.0.0.1"]
FLOW = """
from drawloom import File, Schedule, pipeline, task

@task
def double(n: int) -> int:
    return 2 * n

@task
def size(file: File) -> int:
    return len(file.read_bytes())

@pipeline
def doubled(n: int = 3) -> int:
    return double(n)

@pipeline(schedule=Schedule("0 6 * * *", zone="UTC"))
def daily(n: int = 3) -> int:
    return double(n)

@pipeline
def sized(file: File) -> int:
    return size(file)
"""


class Refusing(ThreadingHTTPServer):
    """Answers every request in one way, over TLS.

    Attributes:
        url: its address.
        ca_file: the certificate it shows, which is its own authority.
        seen: (method, path, authorization) of each request.
        body: what it answers.
    """

    def __init__(self, folder: Path, status: int, body: dict[str, Any]) -> None:
        seen: list[tuple[str, str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                seen.append((self.command, self.path, self.headers.get("authorization") or ""))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.body = seen, body
        self.ca_file = str(folder / "server.crt")
        key = str(folder / "server.key")
        subprocess.run(
            [*_OPENSSL, "-keyout", key, "-out", self.ca_file],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that doesn't trust the certificate hangs up: that is no error of the server's."""


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Callable[[int, str], Refusing]]:
    """Starts a server that refuses with a status and a message."""
    started: list[tuple[Refusing, threading.Thread]] = []

    def start(status: int, message: str) -> Refusing:
        # what Kubernetes sends; Argo's server has `message` and `code` as well
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
        server = Refusing(tmp_path, status, body)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A project with a pipeline and these targets; the working folder."""

    def make(targets: str) -> Path:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "flow_to_deploy.py").write_text(FLOW)
        (folder / "drawloom.toml").write_text(f'project = "p"\n{targets}')
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        monkeypatch.delitem(sys.modules, "flow_to_deploy", raising=False)
        for name in ("KUBECONFIG", "ARGO_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        return folder

    return make


@pytest.fixture
def drawloom_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; exit code, standard output and standard error."""
    from drawloom.cli.main import cli

    def run(*command: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main(list(command), prog_name="drawloom")
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return run
