"""The bootstrap stub fetches a bundle from servers that fail, before anything of drawloom is there to help it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drawloom.ir.canonical import digest_bytes
from drawloom.ir.protocol import stub_text
from drawloom.runtimes import bootstrap


def started(place: str, sha: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", stub_text(), place, sha, "step"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"DRAWLOOM_CACHE": str(folder / "cache"), **env}
    )


def short(handler: Any) -> None:
    """An answer that breaks off in the middle."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


@pytest.mark.parametrize("scheme", ["http", "s3"])
def test_a_server_that_fails_for_a_moment_is_asked_again(
    faulty: Any, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setenv("AWS_ENDPOINT_URL", faulty.url)
    place = f"{faulty.url}/lake/bundle.zip" if scheme == "http" else "s3://lake/bundle.zip"
    faulty.script += [faulty.drop, faulty.answers(503), faulty.answers(429), short, faulty.answers(200, b"whole")]
    assert bootstrap.fetch(place) == b"whole"
    assert [path for _, path, _, _ in faulty.seen] == ["/lake/bundle.zip"] * 5
    assert waits == sorted(waits)
    assert 0 < sum(waits) < 30


def test_a_server_that_never_answers_well_is_given_up(faulty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    faulty.script += [faulty.answers(500)] * 9
    with pytest.raises(OSError, match="500"):
        bootstrap.fetch(f"{faulty.url}/bundle.zip")
    assert len(faulty.seen) == 6


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchKey")])
def test_a_bundle_that_may_not_be_read_is_told_at_once(faulty: Any, tmp_path: Path, status: int, code: str) -> None:
    faulty.script += [faulty.error(status, code)] * 9
    done = started("s3://lake/bundle.zip", "0" * 64, tmp_path, AWS_ENDPOINT_URL=faulty.url)
    assert (done.returncode, len(faulty.seen)) == (1, 1)
    assert done.stderr.startswith(f"error[E715] can't fetch the bundle s3://lake/bundle.zip: HTTP Error {status}: ")
    assert done.stderr.endswith("\n  fix    check that it is there and may be read from here\n")


def test_a_bundle_that_is_no_file_is_told(tmp_path: Path) -> None:
    done = started(f"file://{tmp_path}/gone.zip", digest_bytes(b""), tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error[E715] can't fetch the bundle file://{tmp_path}/gone.zip: [Errno 2] ")
    assert not (tmp_path / "cache").exists()
