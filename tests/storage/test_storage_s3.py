"""The step's own S3 client: signatures, addresses, retries, credentials, and the client's s3fs beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import StoreError
from drawloom.storage import s3_http
from drawloom.storage.base import KeyMissing
from drawloom.storage.open import open_storage
from drawloom.storage.remote import S3fsStorage
from drawloom.storage.s3 import S3Storage
from drawloom.storage.s3_http import S3Endpoint
from drawloom.storage.s3_sign import EMPTY_SHA256, canonical_path, canonical_query, sign

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
MAY_2013 = 1369353600.0  # 2013-05-24T00:00:00Z, of the examples in the Amazon S3 API reference
NO_KEYS = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def _published(method: str, path: str, query: dict[str, str], headers: dict[str, str], sha: str) -> str:
    signed = sign(
        method,
        path,
        query,
        {"host": "examplebucket.s3.amazonaws.com", **headers},
        sha,
        access_key=ACCESS,
        secret_key=SECRET,
        token="",
        region="us-east-1",
        at=MAY_2013,
    )
    return signed["authorization"].rpartition("Signature=")[2]


def test_signatures_are_those_of_the_s3_api_reference() -> None:
    """The examples of its chapter on authenticating requests with the Authorization header."""
    body = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    put = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    assert _published("GET", "/test.txt", {}, {"range": "bytes=0-9"}, EMPTY_SHA256) == (
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    assert _published("PUT", "/test$file.text", {}, put, body) == (
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )
    assert _published("GET", "/", {"lifecycle": ""}, {}, EMPTY_SHA256) == (
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )
    assert _published("GET", "/", {"max-keys": "2", "prefix": "J"}, {}, EMPTY_SHA256) == (
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    path=_TEXT.map(lambda text: "/" + text.replace("?", "").replace("#", "").lstrip("/")),
    query=st.dictionaries(_TEXT, _TEXT, max_size=3),
    value=st.text("ab  c", max_size=12).map(str.strip),
    token=st.sampled_from(["", "TOKEN/with+signs=="]),
)
def test_signatures_are_botocores(path: str, query: dict[str, str], value: str, token: str) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {"host": "lake.s3.eu-west-1.amazonaws.com", "x-amz-meta-drawloom": value}
    ours = sign(
        "PUT", path, query, headers, EMPTY_SHA256,
        access_key=ACCESS, secret_key=SECRET, token=token, region="eu-west-1", at=time.time(),
    )  # fmt: skip
    url = f"https://lake.s3.eu-west-1.amazonaws.com{canonical_path(path)}"
    request = AWSRequest("PUT", f"{url}?{canonical_query(query)}" if query else url, headers=headers, data=b"")
    request.context["payload_signing_enabled"] = True
    request.context["timestamp"] = ours["x-amz-date"]
    request.headers["X-Amz-Content-SHA256"] = EMPTY_SHA256
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    auth = S3SigV4Auth(Credentials(ACCESS, SECRET, token or None), "s3", "eu-west-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert ours["authorization"].rpartition("Signature=")[2] == auth.signature(text, request)


def test_both_clients_see_one_store(s3_url: str, tmp_path: Path) -> None:
    step, client = S3Storage(s3_url), S3fsStorage(s3_url)
    assert step.url == client.url == s3_url
    step.write("from/step", b"1")
    client.write("from/client", b"22")
    assert client.read("from/step") == b"1"
    assert step.read("from/client") == b"22"
    assert list(step.keys("")) == list(client.keys("")) == ["from/client", "from/step"]
    assert list(step.folders("")) == list(client.folders("")) == ["from"]
    assert not client.create("from/step", b"other")
    assert not step.create("from/client", b"other")
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 450_000)  # over s3fs's limit for one PUT: sent in parts
    assert client.create_from_file("large", str(large))
    assert not client.create_from_file("large", str(large))
    step.read_to_file("large", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == large.read_bytes()


def test_a_listing_has_more_keys_than_one_page(s3_url: str) -> None:
    step, client = S3Storage(s3_url), S3fsStorage(s3_url)
    expected = [f"many/{number:05d}" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: step.write(key, b""), expected))
    assert list(step.keys("many/")) == expected
    assert list(client.keys("many/")) == expected


def test_two_processes_create_and_one_wins(s3_url: str) -> None:
    script = (
        "import sys\n"
        "from drawloom.storage.open import open_storage\n"
        "storage = open_storage(sys.argv[1], step=sys.argv[2] == 'step', create=False)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print([n for n in range(40) if storage.create(f'race/{n}', sys.argv[2].encode())])\n"
    )
    open_storage(s3_url)
    racers = {
        name: subprocess.Popen(
            [sys.executable, "-c", script, s3_url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("step", "client")
    }
    for racer in racers.values():
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    won = {}
    for racer in racers.values():
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for name, racer in racers.items():
        out, _ = racer.communicate()
        won[name] = json.loads(out)
    assert sorted(won["step"] + won["client"]) == list(range(40))
    storage = S3Storage(s3_url)
    for name, numbers in won.items():
        assert all(storage.read(f"race/{number}") == name.encode() for number in numbers)


def test_connections_are_kept(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    original = s3_http.S3Endpoint._connect
    monkeypatch.setattr(S3Endpoint, "_connect", lambda self: opened.append(1) or original(self))
    storage = S3Storage(s3_url)
    for number in range(5):
        storage.create(f"a/{number}", b"x")
        storage.read(f"a/{number}")
        with pytest.raises(KeyMissing):
            storage.read("missing")
    assert len(opened) == 1


def _storage(faulty: Any, **more: str) -> S3Storage:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": faulty.url}
    return S3Storage("s3://lake/p", {**keys, **more})


def test_what_passes_is_tried_again(faulty: Any) -> None:
    faulty.script += [
        faulty.answers(500),
        faulty.error(503, "SlowDown"),
        faulty.drop,
        faulty.error(400, "RequestTimeout"),
        faulty.answers(200, b"x"),
    ]
    assert _storage(faulty).read("a") == b"x"
    assert len(faulty.seen) == 5


def test_a_crossing_conditional_write_is_tried_again(faulty: Any) -> None:
    faulty.script += [
        faulty.error(409, "ConditionalRequestConflict"),
        faulty.error(412, "PreconditionFailed"),
        faulty.answers(200),
    ]
    assert not _storage(faulty).create("a", b"x")
    assert [(method, headers.get("if-none-match")) for method, _, headers, _ in faulty.seen] == [
        ("PUT", "*"),
        ("PUT", "*"),
        ("HEAD", None),
    ]


def test_a_create_whose_answer_was_lost_knows_its_own_object(faulty: Any) -> None:
    def head(handler: Any) -> None:
        handler.answer(200, b"", **{"x-amz-meta-drawloom-writer": faulty.seen[0][2]["x-amz-meta-drawloom-writer"]})

    faulty.script += [faulty.drop, faulty.error(412, "PreconditionFailed"), head]
    assert _storage(faulty).create("a", b"x")


def test_an_idle_connection_the_endpoint_closed_is_no_fault(faulty: Any) -> None:
    def answer_and_leave(handler: Any) -> None:
        handler.answer(200, b"1")
        handler.drop()

    faulty.script += [answer_and_leave, faulty.answers(200, b"2")]
    storage = _storage(faulty)
    assert storage.read("a") == b"1"
    time.sleep(0.05)
    started = time.monotonic()
    assert storage.read("a") == b"2"
    assert time.monotonic() - started < 1


def test_a_body_that_breaks_off_is_not_taken_for_whole(faulty: Any, tmp_path: Path) -> None:
    def half(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "10")
        handler.end_headers()
        handler.wfile.write(b"12345")
        handler.drop()

    faulty.script += [half, faulty.answers(200, b"1234567890"), half, faulty.answers(200, b"1234567890")]
    storage = _storage(faulty)
    assert storage.read("a") == b"1234567890"
    storage.read_to_file("a", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == b"1234567890"


def test_the_region_is_taken_from_the_answer(faulty: Any) -> None:
    faulty.script += [
        faulty.error(400, "AuthorizationHeaderMalformed", x_amz_bucket_region="eu-north-1"),
        faulty.answers(200, b"x"),
    ]
    assert _storage(faulty).read("a") == b"x"
    assert "/eu-north-1/s3/aws4_request" in faulty.seen[1][2]["authorization"]


def test_a_store_that_stays_away_is_told(faulty: Any) -> None:
    faulty.script += [faulty.drop] * 6
    with pytest.raises(StoreError) as caught:
        _storage(faulty).read("a")
    host = faulty.url.removeprefix("http://")
    assert str(caught.value) == (
        f"error[S404] can't reach the store s3://lake/p at {host}: Remote end closed connection without response\n"
        "  where  s3://lake/p\n"
        "  fix    check the network, AWS_ENDPOINT_URL and AWS_REGION; then try again: what is committed is kept"
    )


def test_a_missing_bucket_is_told(faulty: Any) -> None:
    faulty.script += [faulty.error(404, "NoSuchBucket")]
    with pytest.raises(StoreError) as caught:
        _storage(faulty).read("a")
    assert str(caught.value) == (
        "error[S404] can't read in the store s3://lake/p: S3 answered 404 NoSuchBucket\n"
        "  where  s3://lake/p/a\n"
        "  fix    check that the bucket exists in this region and that the endpoint is right; then try again"
    )


def test_a_refused_request_is_told_without_secrets(faulty: Any) -> None:
    faulty.script += [faulty.error(403, "AccessDenied")]
    with pytest.raises(StoreError) as caught:
        _storage(faulty, AWS_SESSION_TOKEN="the-token").write("a", b"x")
    assert str(caught.value) == (
        "error[S417] S3 doesn't let these credentials write in s3://lake/p: 403 AccessDenied\n"
        "  where  s3://lake/p/a\n"
        "  fix    give them s3:GetObject, s3:PutObject, s3:DeleteObject on the prefix and s3:ListBucket on the bucket"
    )
    sent = faulty.seen[0][2]
    assert sent["x-amz-security-token"] == "the-token"
    assert SECRET not in json.dumps(sent)


def test_a_store_without_conditional_writes_is_refused(faulty: Any) -> None:
    faulty.script += [faulty.error(501, "NotImplemented")]
    with pytest.raises(StoreError, match=r"error\[S410\]") as caught:
        _storage(faulty).create("a", b"x")
    assert str(caught.value) == (
        "error[S410] the store s3://lake/p can't create an object only if it is absent, so two attempts could both "
        "commit\n"
        "  fix    use a folder, or an object store with conditional writes (If-None-Match): AWS S3, MinIO, Ceph, R2 "
        "have them"
    ).replace("commit\n", "commit\n  where  s3://lake/p\n")


def test_a_file_over_the_limit_of_one_request_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with open(path, "wb") as file:
        file.truncate((5 << 30) + 1)  # a hole: takes no room
    with pytest.raises(StoreError) as caught:
        S3Storage("s3://lake", NO_KEYS).create_from_file("a", str(path))
    assert str(caught.value) == (
        "error[S419] 5368709121 bytes are more than one S3 request takes (5 GiB = 5368709120 bytes)\n"
        "  where  s3://lake/a\n"
        "  fix    split the value into parts, or keep the file where it is and pass it as `External`"
    )


@pytest.mark.parametrize(
    ("environment", "url", "host", "path"),
    [
        ({"AWS_REGION": "eu-west-1"}, "s3://lake/p", "lake.s3.eu-west-1.amazonaws.com", "/p/a"),
        ({"AWS_REGION": "cn-north-1"}, "s3://lake", "lake.s3.cn-north-1.amazonaws.com.cn", "/a"),
        ({}, "s3://my.lake/p", "s3.us-east-1.amazonaws.com", "/my.lake/p/a"),
        ({"AWS_ENDPOINT_URL": "http://minio:9000"}, "s3://lake/p", "minio:9000", "/lake/p/a"),
        ({"AWS_ENDPOINT_URL": "http://x", "AWS_ENDPOINT_URL_S3": "https://gw/s3/"}, "s3://lake", "gw", "/s3/lake/a"),
    ],
)
def test_where_a_request_goes(
    environment: dict[str, str], url: str, host: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def exchange(self: Any, connection: Any, method: str, target: str, headers: Any, body: Any, into: str) -> Any:
        seen.append((headers["host"], target))
        return s3_http.Answer(200, {}, b"")

    monkeypatch.setattr(S3Endpoint, "_exchange", exchange)
    keys = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, **NO_KEYS}
    S3Storage(url, {**keys, **environment}).read("a")
    assert seen == [(host, path)]


@pytest.mark.parametrize("url", ["s3://key:geheim@lake/p", "s3://", "s3:///p", "s3://lake/p?region=x", "s3://a:1/p"])
def test_a_url_that_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        S3Storage(url)
    assert "error[S412]" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_s3_client_loads_no_package() -> None:
    script = (
        "import sys; import drawloom.storage.s3, xml.etree.ElementTree; "
        "print([n for n in sys.modules if n.partition('.')[0] in ('fsspec', 's3fs', 'botocore', 'aiohttp', 'asyncio', "
        "'logging', 'ssl_', 'urllib.request')])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
