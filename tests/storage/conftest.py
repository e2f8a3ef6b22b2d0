"""A server that fails on request, to see what a client of S3 makes of it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drawloom.storage import s3_http


class _Faulty(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: list[Callable[[_Faulty], None]]
    seen: list[tuple[str, str, dict[str, str], bytes]]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        type(self).seen.append((self.command, self.path, headers, body))
        type(self).script.pop(0)(self)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve

    def log_message(self, *arguments: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drop(self) -> None:
        self.close_connection = True

    @staticmethod
    def answers(status: int, body: bytes = b"", **headers: str) -> Callable[[_Faulty], None]:
        return lambda handler: handler.answer(status, body, **headers)

    @classmethod
    def error(cls, status: int, code: str, **headers: str) -> Callable[[_Faulty], None]:
        return cls.answers(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), **headers)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Faulty]]:
    monkeypatch.setattr(s3_http, "_FIRST_DELAY_SECONDS", 0.001)
    handler: Any = type("Handler", (_Faulty,), {"script": [], "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()
