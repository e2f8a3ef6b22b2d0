"""A client of the Kubernetes API: a few requests over HTTPS with a token."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # Kubernetes objects

_MANAGER = "drawloom-test"


@dataclass(frozen=True, slots=True)
class Api:
    """An API server, with what one needs to speak to it.

    Args:
        server: Its address, `https://HOST:PORT`.
        authority: The file of the certificate that signed its own.
        token: The bearer token.
    """

    server: str
    authority: Path
    token: str

    def ready(self) -> bool:
        """Whether the server answers that it is ready."""
        try:
            self._request("GET", "/readyz")
        except OSError:  # refused, not listening yet, or an HTTP error
            return False
        return True

    def get(self, path: str) -> Any:
        """The object at a path, or None if there is none."""
        try:
            return json.loads(self._request("GET", path))
        except urllib.error.HTTPError as problem:
            if problem.code == 404:
                return None
            raise

    def create(self, path: str, document: Mapping[str, Any]) -> Any:
        """Create an object in the collection at a path; the object as the server took it.

        Raises:
            RuntimeError: The server refuses; the message is its own.
        """
        return json.loads(self._change("POST", path, json.dumps(document).encode(), "application/json"))

    def ensure(self, collection: str, name: str, description: bytes) -> None:
        """Create an object from YAML, unless there is one of that name.

        Server-side apply does this too, but takes seconds for a resource definition of a megabyte.
        """
        if self.get(f"{collection}/{name}") is None:
            self._change("POST", collection, description, "application/yaml")

    def apply(self, path: str, document: Mapping[str, Any]) -> None:
        """Make the object at a path be as described (server-side apply).

        Raises:
            RuntimeError: The server refuses; the message is its own.
        """
        body = json.dumps(document).encode()  # JSON is YAML
        self._change("PATCH", f"{path}?fieldManager={_MANAGER}&force=true", body, "application/apply-patch+yaml")

    def text(self, path: str) -> str:
        """What the server answers to a GET, as text: logs are no JSON."""
        return self._request("GET", path).decode(errors="replace")

    def _change(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        try:
            return self._request(method, path, body, kind)
        except urllib.error.HTTPError as problem:
            raise RuntimeError(f"{path}: {problem.code} {problem.read().decode()[:500]}") from problem

    def _request(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        request = urllib.request.Request(self.server + path, data=body, headers=headers, method=method)
        # not the proxies of the environment: the server is on this machine
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.authority))),
        )
        with opener.open(request, timeout=30) as response:
            return bytes(response.read())
