"""Requests to one S3 endpoint: signed, on connections that are kept, tried again where that helps.

Standard library alone: a step loads this module, and only where its store is on S3.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from drawloom.errors import StoreError
from drawloom.storage.problems import store_error
from drawloom.storage.s3_credentials import Credentials, find_credentials, find_region
from drawloom.storage.s3_sign import EMPTY_SHA256, canonical_path, canonical_query, sign

__all__ = ["Answer", "S3Endpoint"]

_ATTEMPTS = 6
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0
_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20
# 409 is S3's answer to a conditional write that crossed another one: "retry" (S3 API reference, PutObject).
_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
_AGAIN_CODES = frozenset({"RequestTimeout", "SlowDown", "ConditionalRequestConflict", "OperationAborted"})
_EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})


class Answer:
    """An answer, its body read; `tries` counts the requests that were sent for it."""

    __slots__ = ("body", "headers", "status", "tries")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.tries = 1

    @property
    def code(self) -> str:
        """S3's error code (`NoSuchKey`), "" if the body names none."""
        found = re.search(rb"<Code>([A-Za-z0-9]+)</Code>", self.body) if self.status >= 300 else None
        return found.group(1).decode("ascii") if found else ""


class S3Endpoint:  # over 150 lines: a request's whole way, from address to retry
    """The endpoint that serves one bucket.

    A custom endpoint (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`) gets the bucket in the path, AWS in the host name.

    Args:
        bucket: the bucket's name.
        url: the store's URL, for errors.
        environment: the environment variables.
    """

    def __init__(self, bucket: str, url: str, environment: Mapping[str, str]) -> None:
        self._bucket = bucket
        self._url = url
        self._environment = environment
        self._region = find_region(environment)
        self._custom = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
        self._credentials: Credentials | None = None
        self._idle: list[http.client.HTTPConnection] = []
        self._pid = os.getpid()
        self._place()

    def request(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        into: str = "",
    ) -> Answer:
        """Sends a request and returns the answer, whatever its status.

        Args:
            method: `GET`, `PUT`, `HEAD`, `DELETE`.
            key: the object's whole key, "" for the bucket.
            query: name to value.
            headers: further headers, in lower case.
            body: the bytes to send, or the path of a file to stream.
            into: the path of a file that gets the body of a 200, streamed; "" keeps it in the answer.

        Raises:
            StoreError: S404, the endpoint can't be reached; S418, no credentials.
        """
        sha, size = (EMPTY_SHA256, 0) if not body else _digest(body)
        said = "no answer"
        tries = 0
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._send(method, key, query or {}, headers or {}, body, sha, size, into)
            except _LocalError as error:
                raise error.error from None
            except (OSError, http.client.HTTPException) as error:
                tries += 1
                said = str(error) or type(error).__name__
            else:
                tries += answer.tries
                answer.tries = tries
                if attempt == _ATTEMPTS or not self._try_again(answer):
                    return answer
            if attempt < _ATTEMPTS:
                _wait(attempt)
        raise self._unreachable(said)

    def _send(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | str, sha: str,
        size: int, into: str,
    ) -> Answer:  # fmt: skip
        path = f"{self._base}/{key}" if key or not self._base else self._base
        credentials = self._credentials_now()
        signed = sign(
            method, path, query, {**headers, "host": self._host}, sha,
            access_key=credentials.access_key, secret_key=credentials.secret_key, token=credentials.token,
            region=self._region,
        )  # fmt: skip
        target = canonical_path(path) + (f"?{canonical_query(query)}" if query else "")
        if method == "PUT":
            signed["content-length"] = str(size)
        connection, reused = self._take()
        try:
            try:
                answer = self._exchange(connection, method, target, signed, body, into)
            except (ConnectionError, http.client.BadStatusLine):
                if not reused:
                    raise
                # The endpoint closed an idle connection: that says nothing about the endpoint.
                connection.close()
                answer = self._exchange(connection, method, target, signed, body, into)
                answer.tries = 2
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, target: str, headers: dict[str, str],
        body: bytes | str, into: str,
    ) -> Answer:  # fmt: skip
        broken = False
        try:
            if isinstance(body, str):
                with _open_local(body, "rb") as file:
                    connection.request(method, target, file, headers)
            else:
                connection.request(method, target, body or None, headers)
        except (BrokenPipeError, ConnectionResetError):
            broken = True  # S3 may refuse a body (412) before it has read all of it: the answer is there to be read
        with connection.getresponse() as response:
            if into and response.status == 200:
                with _open_local(into, "wb") as file:
                    _copy(response, file)
                data = b""
            else:
                data = response.read()
        if broken:
            connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)

    def _try_again(self, answer: Answer) -> bool:
        code = answer.code
        region = answer.headers.get("x-amz-bucket-region", "")
        if answer.status in (301, 307, 400) and region and region != self._region:
            self._region = region  # the bucket is elsewhere, and S3 says where
            self._place()
            return True
        if code in _EXPIRED_CODES and self._credentials is not None and self._credentials.ends_at != float("inf"):
            self._credentials = None
            return True
        return answer.status in _AGAIN or code in _AGAIN_CODES

    def _credentials_now(self) -> Credentials:
        if self._credentials is None or self._credentials.are_stale:
            self._credentials = find_credentials(self._environment, self._region)
        return self._credentials

    def _place(self) -> None:
        """Works out scheme, host and the path before a key, from endpoint, region and bucket."""
        self.close()
        base = ""
        if self._custom:
            parts = urlsplit(self._custom if "://" in self._custom else f"https://{self._custom}")
            self._secure, self._host = parts.scheme != "http", parts.netloc.rpartition("@")[2]
            base = f"{parts.path.rstrip('/')}/{self._bucket}"
        else:
            domain = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
            self._secure, self._host = True, f"s3.{self._region}.{domain}"
            if "." in self._bucket:  # the host's certificate covers one name part only
                base = f"/{self._bucket}"
            else:
                self._host = f"{self._bucket}.{self._host}"
        self._base = base

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection for one request, and whether it has served another one."""
        if self._pid != os.getpid():  # a forked child must not talk on its parent's connections
            self._pid = os.getpid()
            self.close()
        try:
            return self._idle.pop(), True
        except IndexError:
            return self._connect(), False

    def _connect(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, timeout=_TIMEOUT_SECONDS)
        import ssl  # 10 ms: only where the endpoint is https

        context = ssl.create_default_context(cafile=self._environment.get("AWS_CA_BUNDLE") or None)
        return http.client.HTTPSConnection(self._host, timeout=_TIMEOUT_SECONDS, context=context)

    def close(self) -> None:
        """Closes the connections that are kept; the next request opens one."""
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        with suppress(Exception):  # an interpreter that ends has taken parts of it away
            self.close()

    def _unreachable(self, said: str) -> StoreError:
        return store_error(
            "S404",
            f"can't reach the store {self._url} at {self._host}: {said}",
            self._url,
            "check the network, AWS_ENDPOINT_URL and AWS_REGION; then try again: what is committed is kept",
        )


def _wait(attempt: int) -> None:
    longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
    time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 spreads retries; nothing secret


def _digest(body: bytes | str) -> tuple[str, int]:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest(), len(body)
    with open(body, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


class _LocalError(Exception):
    """An error of the caller's own file, which another request doesn't mend."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _open_local(path: str, mode: str) -> BinaryIO:
    try:
        return cast("BinaryIO", open(path, mode))
    except OSError as error:
        raise _LocalError(error) from error


def _copy(response: http.client.HTTPResponse, file: BinaryIO) -> None:
    while chunk := response.read(_CHUNK_BYTES):
        try:
            file.write(chunk)
        except OSError as error:
            raise _LocalError(error) from error
    if response.length:  # read(n) doesn't tell that the connection broke before the end, as read() does
        raise http.client.IncompleteRead(b"", response.length)
