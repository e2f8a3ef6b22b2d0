"""The stub: fetches the bundle, verifies it, unpacks it in a cache folder and runs a step from it.

An engine gives this text to `python -c`, so that a stock Python image works; it imports the standard library alone and
nothing of drawloom. Arguments: the bundle's place (a path, file://, http(s):// or s3://), its SHA-256, the module below
`drawloom.runtimes` to run (`step`, `begin`), then that module's own. DRAWLOOM_CACHE is the cache folder.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` costs a step 2 ms, and type checkers know this name
if TYPE_CHECKING:
    from typing import NoReturn
    from urllib.request import Request


def fetch(place: str) -> bytes:
    """The bytes of the bundle; what a network fails to do once is asked again, as a step asks its store."""
    if not place.startswith(("s3://", "http://", "https://")):
        with open(place.removeprefix("file://"), "rb") as file:
            return file.read()
    import http.client
    import random
    import time
    import urllib.request

    tries = 0
    while True:
        try:
            request = s3_request(place) if place.startswith("s3://") else place
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # https, or the endpoint set
                return bytes(answer.read())
        except (OSError, http.client.HTTPException) as error:
            tries += 1
            status = getattr(error, "code", 500)
            if tries == 6 or (status < 500 and status not in (408, 409, 429)):
                raise
            time.sleep(0.05 * 3**tries * random.uniform(0.5, 1))  # noqa: S311  # many steps may have started at once


def s3_request(place: str, now: float | None = None) -> Request:
    """A GET signed with AWS Signature Version 4, of the credentials in the environment."""
    import hashlib
    import hmac
    import time
    import urllib.parse
    import urllib.request

    def env(name: str, default: str = "") -> str:
        return os.environ.get(name, default)

    bucket, _, key = place[5:].partition("/")
    region = env("AWS_REGION") or env("AWS_DEFAULT_REGION") or "us-east-1"
    base = env("AWS_ENDPOINT_URL_S3") or env("AWS_ENDPOINT_URL") or f"https://s3.{region}.amazonaws.com"
    url = urllib.parse.urlsplit(f"{base.rstrip('/')}/{bucket}/{urllib.parse.quote(key)}")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {"host": url.netloc, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": stamp}
    if env("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = env("AWS_SESSION_TOKEN")
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"GET\n{url.path}\n\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    sign = ("AWS4" + env("AWS_SECRET_ACCESS_KEY")).encode()
    for part in (*scope.split("/"), text):
        sign = hmac.new(sign, part.encode(), "sha256").digest()
    if env("AWS_ACCESS_KEY_ID"):
        credential = f"{env('AWS_ACCESS_KEY_ID')}/{scope}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={sign.hex()}"
        )
    del headers["host"]
    return urllib.request.Request(url.geturl(), headers=headers)  # noqa: S310  # as above


def refuse(code: str, what: str, fix: str) -> NoReturn:
    """Ends the step; nothing of drawloom can be had yet, its diagnostics neither."""
    sys.exit(f"error[{code}] {what}\n  fix    {fix}")


def unpack(place: str, sha: str) -> str:
    """The folder of the unpacked bundle; any number of stubs may unpack the same one at once."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    cache = os.environ.get("DRAWLOOM_CACHE") or f"{os.environ.get('TMPDIR', '/tmp').rstrip('/')}/drawloom-{user}"  # noqa: S108
    folder = os.path.join(cache, "bundles", sha)
    if os.path.isdir(folder):
        return folder
    import hashlib
    import io
    import shutil
    import tempfile
    import zipfile

    try:
        data = fetch(place)
    except Exception as error:  # noqa: BLE001  # whatever it is, nobody else can say so
        what = str(error) or type(error).__name__
        refuse("E715", f"can't fetch the bundle {place}: {what}", "check that it is there and may be read from here")
    found = hashlib.sha256(data).hexdigest()
    if found != sha:
        refuse("E715", f"the bundle {place} has the digest {found}, expected {sha}", "publish the program again")
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and os.stat(cache).st_uid != os.getuid():
        refuse("E715", f"the cache folder {cache} belongs to another user", "set DRAWLOOM_CACHE to a folder of yours")
    part = tempfile.mkdtemp(dir=os.path.dirname(folder))
    try:
        zipfile.ZipFile(io.BytesIO(data)).extractall(part)
        os.rename(part, folder)
    except OSError:
        if not os.path.isdir(folder):  # else another stub was faster
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def run(place: str, sha: str, module: str, *arguments: str) -> NoReturn:
    """Runs `drawloom.runtimes.<module>` from the bundle; never returns."""
    import gc

    gc.disable()  # what is imported stays: looking for garbage in it costs a step 3 ms
    folder = unpack(place, sha)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry)]
    os.environ["DRAWLOOM_BUNDLE"] = sha
    main = __import__(f"drawloom.runtimes.{module}", fromlist=["main"]).main
    gc.enable()
    leave(main(list(arguments)))


def leave(code: int) -> NoReturn:
    """Ends the process; at once where nobody waits for its end, because taking the interpreter down costs 3 ms."""
    import atexit
    import threading

    if atexit._ncallbacks() or threading.active_count() > 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run(*sys.argv[1:])
