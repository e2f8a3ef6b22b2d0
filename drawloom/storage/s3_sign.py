"""AWS Signature Version 4 for S3 requests (AWS General Reference, "Signing AWS API requests").

Why our own: a step has the standard library alone. It imports nothing of drawloom: a bundle's stub can carry it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote

__all__ = ["EMPTY_SHA256", "canonical_path", "canonical_query", "sign"]

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def canonical_path(path: str) -> str:
    """A path as it is signed and sent: UTF-8, percent-encoded once, as S3 wants it, unlike other AWS services.

    >>> canonical_path("/bucket/a b/ü~.txt")
    '/bucket/a%20b/%C3%BC~.txt'
    """
    return quote(path, safe="/-_.~")


def canonical_query(query: Mapping[str, str]) -> str:
    """A query as it is signed and sent: percent-encoded, then sorted by name, every name with a `=`.

    >>> canonical_query({"prefix": "a/b c", "list-type": "2", "uploads": ""})
    'list-type=2&prefix=a%2Fb%20c&uploads='
    """
    encoded = [(quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items()]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def sign(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload_sha256: str,
    *,
    access_key: str,
    secret_key: str,
    token: str,
    region: str,
    service: str = "s3",
    at: float | None = None,
) -> dict[str, str]:
    """The headers of a signed request.

    Args:
        method: `GET`, `PUT`, ...
        path: the unencoded path, from `/` on.
        query: the unencoded query, name to value.
        headers: the request's own headers, in lower case, `host` among them; all are signed.
        payload_sha256: SHA-256 of the body, 64 hex characters.
        access_key: the access key id.
        secret_key: the secret access key; used for the signature, in no header.
        token: the session token, "" if the credentials have none.
        region: the region the bucket is in.
        service: the service that is asked.
        at: seconds since the epoch; now if None.

    Returns:
        `headers` with `authorization`, `x-amz-date`, `x-amz-content-sha256` and, with a token, `x-amz-security-token`.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    signed = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload_sha256}
    if token:
        signed["x-amz-security-token"] = token
    names = sorted(signed)
    lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in names)
    listed = ";".join(names)
    request = "\n".join((method, canonical_path(path), canonical_query(query), lines, listed, payload_sha256))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = b"AWS4" + secret_key.encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{access_key}/{scope}"
    signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={listed}, Signature={signature}"
    return signed
