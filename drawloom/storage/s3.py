"""A store on S3 for a step: `s3://bucket/prefix`, read and written with the standard library alone.

Objects are whole and strongly consistent on S3; `create` is a conditional write (`If-None-Match: *`). A request whose
answer was lost is sent again and may then find its own object: each `create` marks its object with a random number, so
that it knows its own. The client (`storage.remote`) goes through s3fs instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

from drawloom.storage.base import KeyMissing
from drawloom.storage.problems import check_key, check_prefix, is_key, no_conditional_write, store_error, url_refused
from drawloom.storage.s3_http import Answer, S3Endpoint

__all__ = ["WRITER_HEADER", "S3Storage", "split_s3_url"]

_PUT_LIMIT_BYTES = 5 << 30  # S3's limit for one PUT
WRITER_HEADER = "x-amz-meta-drawloom-writer"


def split_s3_url(url: str) -> tuple[str, str]:
    """Bucket and prefix (ending with `/`, or "") of an `s3://` URL.

    >>> split_s3_url("s3://lake/teams/churn")
    ('lake', 'teams/churn/')

    Raises:
        StoreError: S412, the URL names no bucket, or holds credentials or options.
    """
    bucket, _, prefix = url.partition("://")[2].partition("/")
    if "@" in bucket:  # not shown: what stands before it is a secret
        raise url_refused("s3://...", "credentials don't belong in a URL: they end up in records")
    if not bucket or "?" in url or "#" in url or ":" in bucket:
        raise url_refused(url, "expected s3://bucket or s3://bucket/prefix")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


class S3Storage:  # over 150 lines: the contract's twelve methods
    """Bytes under keys in a bucket, below a prefix.

    Args:
        url: `s3://bucket/prefix`.
        environment: where endpoint, region and credentials are looked up; the process's environment if None.
    """

    def __init__(self, url: str, environment: Mapping[str, str] | None = None) -> None:
        self._bucket, self._prefix = split_s3_url(url)
        self._url = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        self._endpoint = S3Endpoint(self._bucket, self._url, os.environ if environment is None else environment)

    def __reduce__(self) -> tuple[type[S3Storage], tuple[str]]:
        return (S3Storage, (self._url,))  # another process has its own connections, and its own environment

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return self._url

    def read(self, key: str) -> bytes:
        """The bytes under `key`; `KeyMissing` if there are none."""
        answer = self._endpoint.request("GET", self._full(key))
        self._check(answer, "read", key)
        return answer.body

    def write(self, key: str, data: bytes) -> None:
        """Puts `data` under `key`, replacing what was there, atomically."""
        self._check_size(key, len(data))
        self._check(self._endpoint.request("PUT", self._full(key), body=data), "write", key)

    def create(self, key: str, data: bytes) -> bool:
        """Puts `data` under `key` if nothing is there; False (and no change) if something is."""
        self._check_size(key, len(data))
        return self._create(key, data)

    def exists(self, key: str) -> bool:
        """Whether something is under `key`."""
        try:
            self.size_bytes(key)
        except KeyMissing:
            return False
        return True

    def size_bytes(self, key: str) -> int:
        """The number of bytes under `key`; `KeyMissing` if there are none."""
        return int(self._head(key).headers["content-length"])

    def modified_at(self, key: str) -> float:
        """When what is under `key` was written or renewed; `KeyMissing` if nothing is."""
        return _modified(self._head(key))

    def renew(self, key: str, older_than_seconds: float) -> int:
        """Sees to it that what is under `key` counts as young; its size, or `KeyMissing`. An old object is copied."""
        answer = self._head(key)
        if time.time() - _modified(answer) > older_than_seconds:
            kept = {name: value for name, value in answer.headers.items() if name.startswith("x-amz-meta-")}
            source = quote(f"/{self._bucket}/{self._full(key)}")
            headers = {"x-amz-copy-source": source, "x-amz-metadata-directive": "REPLACE", **kept}
            self._check(self._endpoint.request("PUT", self._full(key), headers=headers), "read", key)
        return int(answer.headers["content-length"])

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, sorted; objects that are no keys are passed over."""
        check_prefix(prefix, self._url)
        skipped = len(self._prefix)
        for name in self._list(prefix, "", "Contents/Key"):
            if is_key(name[skipped:]):
                yield name[skipped:]

    def folders(self, prefix: str) -> Iterator[str]:
        """The distinct next path parts below `prefix` that hold keys, sorted."""
        check_prefix(prefix, self._url)
        skipped = len(self._prefix) + len(prefix)
        for name in self._list(prefix, "/", "CommonPrefixes/Prefix"):
            if is_key(name[skipped:-1]):
                yield name[skipped:-1]

    def delete(self, key: str) -> None:
        """Removes what is under `key`, if anything."""
        answer = self._endpoint.request("DELETE", self._full(key))
        if answer.code != "NoSuchKey":
            self._check(answer, "write", key)

    def create_from_file(self, key: str, path: str) -> bool:
        """Like `create`, with the content of the local file `path`, streamed."""
        self._check_size(key, os.stat(path).st_size)
        return self._create(key, path)

    def read_to_file(self, key: str, path: str) -> None:
        """Writes the bytes under `key` into the local file `path`, streamed; `KeyMissing` if there are none."""
        self._check(self._endpoint.request("GET", self._full(key), into=path), "read", key)

    def sync(self) -> None:
        """Nothing: what S3 has answered for survives."""

    def _head(self, key: str) -> Answer:
        answer = self._endpoint.request("HEAD", self._full(key))
        self._check(answer, "read", key)
        return answer

    def _create(self, key: str, body: bytes | str) -> bool:
        mark = os.urandom(8).hex()
        answer = self._endpoint.request(
            "PUT", self._full(key), headers={"if-none-match": "*", WRITER_HEADER: mark}, body=body
        )
        if answer.status == 412:
            return answer.tries > 1 and self._is_marked(key, mark)
        if answer.status == 501 or answer.code == "NotImplemented":
            raise no_conditional_write(self._url)
        self._check(answer, "write", key)
        return True

    def _is_marked(self, key: str, mark: str) -> bool:
        return self._endpoint.request("HEAD", self._full(key)).headers.get(WRITER_HEADER) == mark

    def _list(self, prefix: str, delimiter: str, path: str) -> Iterator[str]:
        from xml.etree import ElementTree as ET  # only listings are XML

        query = {"list-type": "2", "prefix": self._prefix + prefix, "encoding-type": "url"}
        if delimiter:
            query["delimiter"] = delimiter
        while True:
            answer = self._endpoint.request("GET", "", query=query)
            self._check(answer, "list", prefix)
            root = ET.fromstring(answer.body)  # noqa: S314 from the store itself; expat bounds entity expansion
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            for found in root.iterfind("/".join(space + part for part in path.split("/"))):
                yield unquote(found.text or "")
            token = root.findtext(f"{space}NextContinuationToken")
            if not token:
                return
            query["continuation-token"] = token

    def _full(self, key: str) -> str:
        check_key(key, self._url)
        return self._prefix + key

    def _check_size(self, key: str, size: int) -> None:
        if size > _PUT_LIMIT_BYTES:
            raise store_error(
                "S419",
                f"{size} bytes are more than one S3 request takes (5 GiB = {_PUT_LIMIT_BYTES} bytes)",
                f"{self._url}/{key}",
                "split the value into parts, or keep the file where it is and pass it as `External`",
            )

    def _check(self, answer: Answer, verb: str, key: str) -> None:
        if answer.status < 300:
            return
        code = answer.code
        if answer.status == 404 and code in ("", "NoSuchKey", "NotFound"):
            raise KeyMissing(key)
        where = f"{self._url}/{key}"
        said = f"{answer.status} {code}".strip()
        if answer.status in (401, 403):
            raise store_error(
                "S417",
                f"S3 doesn't let these credentials {verb} in {self._url}: {said}",
                where,
                "give them s3:GetObject, s3:PutObject, s3:DeleteObject on the prefix and s3:ListBucket on the bucket",
            )
        raise store_error(
            "S404",
            f"can't {verb} in the store {self._url}: S3 answered {said}",
            where,
            "check that the bucket exists in this region and that the endpoint is right; then try again",
        )


def _modified(answer: Answer) -> float:
    from email.utils import parsedate_to_datetime  # `http.client` has loaded it already

    return parsedate_to_datetime(answer.headers["last-modified"]).timestamp()
