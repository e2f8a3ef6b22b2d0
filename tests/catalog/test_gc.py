"""Garbage collection: what goes, what stays, and that nobody who works with the store meanwhile is harmed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drawloom import api, for_each, pipeline, task
from drawloom.catalog import keys
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import Deployment, RunStarted, Tag, record_to_json
from drawloom.catalog.runlog import RunWriter, write_run
from drawloom.errors import StoreError
from drawloom.ir.canonical import canonical_json

DAY = 24 * 3600.0


@task
def big(n: int) -> list[str]:
    return [f"{n} {'x' * 200} {i}" for i in range(50)]


@task
def content(n: int) -> bytes:
    return b"%d" % n * 9000


@task
def size(data: bytes) -> int:
    return len(data)


@pipeline
def flow(n: int) -> int:
    many = big(n)
    data = content(n)
    for_each(many, size_of)
    return size(data)


@task
def size_of(text: str) -> int:
    return len(text)


def run(catalog: Catalog, n: int, **more: Any) -> Any:
    made = api.run(flow, {"n": n}, catalog=catalog, executor="inline", **more)
    assert made.result == len(str(n)) * 9000
    return made


def make_old(catalog: Catalog, days: float = 3) -> None:
    """As if everything in the store had been written days ago."""
    at = time.time() - days * DAY
    for folder, _, files in os.walk(catalog.url):
        for name in [*files, "."]:
            os.utime(os.path.join(folder, name), (at, at))


def files(catalog: Catalog, prefix: str) -> set[str]:
    return set(catalog.storage.keys(prefix))


def well(catalog: Catalog) -> bool:
    assert catalog.verify() == []
    return True


def test_nothing_goes_where_nothing_may(catalog: Catalog) -> None:
    run(catalog, 1)
    before = files(catalog, "")
    found = catalog.gc()
    assert (found.runs, found.size_bytes, found.kept_runs) == ((), 0, 1)
    make_old(catalog)
    assert catalog.gc().size_bytes == 0, "all of it is reachable"
    assert files(catalog, "") == before


def test_the_newest_runs_of_each_pipeline_stay_with_all_they_refer_to(catalog: Catalog) -> None:
    runs = [run(catalog, n) for n in (1, 2, 3, 3)]  # the last is cached
    make_old(catalog)
    found = catalog.gc(keep_runs=1, grace_seconds=0)
    assert set(found.runs) == {r.id for r in runs[:2]}, "the third answered the fourth"
    assert found.counts["runs"] == 2
    assert found.counts["objects"] > 0
    assert [r.id for r in catalog.runs()] == [runs[3].id, runs[2].id]
    assert well(catalog)
    kept = catalog.run(runs[3].id)
    assert kept.load("data") == b"3" * 9000
    assert kept.load("many") == big(3)
    again = run(catalog, 3)
    assert again.counts == {"cached": 5}, "what stays still answers"
    assert run(catalog, 1).counts == {"succeeded": 5}, "what is gone is made anew"
    assert catalog.gc(keep_runs=1, grace_seconds=0).counts["runs"] == 3
    assert well(catalog)


def test_a_dry_run_tells_the_same_and_changes_nothing(catalog: Catalog) -> None:
    for n in (1, 2, 3):
        run(catalog, n)
    make_old(catalog)
    before = files(catalog, "")
    told = catalog.gc(keep_runs=1, grace_seconds=0, dry_run=True)
    assert files(catalog, "") == before
    done = catalog.gc(keep_runs=1, grace_seconds=0)
    assert told.dry_run
    assert (done.runs, done.counts, done.sizes_bytes) == (told.runs, told.counts, told.sizes_bytes)
    left = files(catalog, "")
    assert sum(done.counts.values()) > 5
    assert len(before - left) >= sum(done.counts.values()), "a run is several files"
    assert left < before


@task
def slow(n: int) -> bytes:
    time.sleep(0.03)
    return b"%d" % n * 9000


@pipeline
def slowly(n: int) -> bytes:
    return slow(n)


def test_cache_entries_of_runs_that_go_go_before_what_they_answer_with(catalog: Catalog) -> None:
    for n in (1, 2):
        assert api.run(slowly, {"n": n}, catalog=catalog, executor="inline").state == "succeeded"
    before = files(catalog, "cache/")
    assert len(before) == 2
    make_old(catalog)
    assert catalog.gc(keep_runs=1, grace_seconds=0).counts["cache entries"] == 1
    assert len(files(catalog, "cache/")) == 1
    assert api.run(slowly, {"n": 2}, catalog=catalog, executor="inline").counts == {"cached": 1}
    assert api.run(slowly, {"n": 1}, catalog=catalog, executor="inline").counts == {"succeeded": 1}


def test_young_things_stay(catalog: Catalog) -> None:
    for n in (1, 2):
        run(catalog, n)
    catalog.objects.put(b"not referred to yet")
    found = catalog.gc(keep_runs=0)
    assert sum(found.counts.values()) == 0
    orphan = catalog.objects.put(b"forgotten")
    os.utime(Path(catalog.url, keys.object_key(orphan)), (1, 1))
    found = catalog.gc()
    assert found.counts["objects"] == 1
    assert not catalog.storage.exists(keys.object_key(orphan))


def test_older_than_and_keep_runs_together(recorder: Any, catalog: Catalog) -> None:
    now = time.time()
    for days in (1, 10, 40, 50):
        recorder.good(f"run-{days:02}", n=days, at=now - days * DAY)
    make_old(catalog)
    ids = lambda **more: sorted(catalog.gc(dry_run=True, **more).runs)  # noqa: E731
    assert ids(older_than_seconds=30 * DAY) == ["run-40", "run-50"]
    assert ids(keep_runs=3) == ["run-50"]
    assert ids(keep_runs=3, older_than_seconds=30 * DAY) == ["run-50"]
    assert ids(keep_runs=0, older_than_seconds=30 * DAY) == ["run-40", "run-50"]
    assert ids(keep_runs=0) == ["run-10", "run-40", "run-50"], "the grace keeps what ended a moment ago"
    with pytest.raises(StoreError, match="S485"):
        catalog.gc(keep_runs=-1)


def _tag(catalog: Catalog, name: str, digest: str) -> None:
    record = Tag(name, "best", digest, at=time.time())
    catalog.storage.create(
        keys.tag_key(name, "best", record.at, "ab"), canonical_json(record_to_json(record)).encode("ascii")
    )


def test_runs_of_tagged_versions_and_of_deployed_programs_stay(recorder: Any, catalog: Catalog) -> None:
    for n in (1, 2, 3):
        recorder.good(f"run-{n}", n=n, at=float(n))
    make_old(catalog)
    _tag(catalog, "p/first", catalog.version("p/first", 2).digest)
    assert catalog.gc(keep_runs=0, dry_run=True).runs == ("run-3", "run-1")
    deployed = Deployment("prod", "p", recorder.program, at=1.0)
    catalog.storage.create(
        keys.deployment_key("prod", 1.0, "ab"), canonical_json(record_to_json(deployed)).encode("ascii")
    )
    assert catalog.gc(keep_runs=0, dry_run=True).runs == ()
    later = Deployment("prod", "p", "e" * 64, at=2.0)
    catalog.storage.create(
        keys.deployment_key("prod", 2.0, "ab"), canonical_json(record_to_json(later)).encode("ascii")
    )
    assert catalog.gc(keep_runs=0).runs == ("run-3", "run-1")
    assert [r.id for r in catalog.runs()] == ["run-2"]
    assert catalog.load("p/first", "best") == [4]
    assert well(catalog)


def test_a_running_run_stays(recorder: Any, catalog: Catalog) -> None:
    write_run(catalog.storage, RunStarted("run-going", "p", recorder.program, recorder.refs(n=3), at=1.0))
    sha = catalog.objects.put(b"x" * 9000)
    with RunWriter(catalog.storage, "run-going") as writer:
        writer.append(recorder.commit("run-going", "first", b"x" * 9000))
        writer.flush()
        make_old(catalog)
        assert catalog.gc(keep_runs=0, grace_seconds=0).runs == ()
        assert catalog.objects.has(sha)
    make_old(catalog)
    assert catalog.gc(keep_runs=0, grace_seconds=0).runs == ("run-going",), "its writer is gone: it has failed"
    assert not catalog.objects.has(sha)
    assert files(catalog, "runs/") == set()


def test_fields_of_a_newer_drawloom_keep_what_they_name(recorder: Any, catalog: Catalog) -> None:
    sha = catalog.objects.put(b"y" * 9000)
    recorder.good("run-1")
    tree = {"kind": "run-finished", "run": "run-1", "outcome": "succeeded", "at": 9.0, "gallery": [{"picture": sha}]}
    catalog.storage.create(keys.finished_key("run-1", 0), json.dumps(tree).encode())
    make_old(catalog)
    catalog.gc()
    assert catalog.objects.has(sha)


def test_a_run_that_cant_be_read_stops_it(catalog: Catalog) -> None:
    broken = run(catalog, 1)
    orphan = catalog.objects.put(b"forgotten")
    make_old(catalog)
    (segment,) = files(catalog, f"runs/{broken.id}/segments/")
    path = Path(catalog.url, segment)
    path.chmod(0o644)
    path.write_bytes(b"torn " + path.read_bytes())
    with pytest.raises(StoreError, match="S486"):
        catalog.gc(keep_runs=5)
    assert catalog.objects.has(orphan)


def test_what_was_set_aside_and_leftovers_of_killed_writers_go(catalog: Catalog) -> None:
    run(catalog, 1)
    sha = "ab" * 32
    catalog.storage.create(keys.quarantine_key(sha), b"bad")
    catalog.storage.create("runs/run-torn/segments/0-1-2-3-00000000.seg", b"")
    catalog.storage.create("checkpoints/" + "a" * 40 + "/files/state", b"12345")
    catalog.storage.create(keys.function_key(sha), b"{}")
    catalog.storage.create(keys.environment_key(sha), b"{}")
    catalog.storage.create(keys.bundle_key(sha), b"zip")
    assert sum(catalog.gc().counts.values()) == 0, "all young"
    make_old(catalog, 30)
    found = catalog.gc()
    one = ("runs", "quarantined objects", "checkpoints", "functions", "environments", "bundles")
    assert {kind: count for kind, count in found.counts.items() if count} == dict.fromkeys(one, 1)
    assert found.sizes_bytes["checkpoints"] == 5
    assert well(catalog)
    assert not Path(catalog.url, "checkpoints", "a" * 40).exists()


def test_a_checkpoint_a_task_works_in_stays(catalog: Catalog) -> None:
    import fcntl

    folder = Path(catalog.url, "checkpoints", "b" * 40)
    folder.mkdir(parents=True)
    (folder / "Any Name").write_bytes(b"x")
    (folder / "lock").touch()
    make_old(catalog, 30)
    with open(folder / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert catalog.gc().counts["checkpoints"] == 0
    assert catalog.gc().counts["checkpoints"] == 1
    assert not folder.exists()


def test_who_relies_on_an_old_object_keeps_it(catalog: Catalog) -> None:
    data = b"z" * 9000
    sha = catalog.objects.put(data)
    make_old(catalog)
    other = Catalog.open(catalog.store_url)
    assert other.objects.put(data) == sha  # nothing is written: it is there
    assert catalog.gc().counts["objects"] == 0
    make_old(catalog)
    assert other.objects.has(sha)
    assert catalog.gc().counts["objects"] == 0
    make_old(catalog)
    assert catalog.gc().counts["objects"] == 1
    assert catalog.objects.put(data) == sha
    assert catalog.objects.get(sha) == data, "who collected knows that it is gone"


RUNNER = """
import sys
from drawloom import api
from drawloom.catalog.catalog import Catalog
sys.path.insert(0, sys.argv[2])
import test_gc
catalog = Catalog.open(sys.argv[1])
for round in range(2):
    for n in range(1, 7):
        made = api.run(test_gc.flow, {"n": n}, catalog=catalog, executor="threads", cache=round == 0)
        assert made.result == 9000, made
print("done")
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])}


@pytest.mark.parametrize("cache", ["kept", "removed"])
def test_a_real_run_beside_it_comes_to_no_harm(catalog: Catalog, cache: str) -> None:
    """The store is full of old garbage that is just what the runs make, or are answered by."""
    for n in range(1, 7):
        run(catalog, n)
    if cache == "removed":
        for key in files(catalog, "cache/"):
            catalog.storage.delete(key)
    shutil.rmtree(Path(catalog.url, "runs"))
    make_old(catalog)
    command = [sys.executable, "-c", RUNNER, catalog.store_url, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        rounds = 0
        while process.poll() is None:
            catalog.gc(keep_runs=0, grace_seconds=3600)
            rounds += 1
        assert process.stdout is not None
        assert process.stdout.read() == "done\n"
    assert rounds > 1
    assert len(catalog.runs()) == 12
    assert well(catalog)


KILLED = """
import os, sys
from drawloom.catalog.catalog import Catalog
from drawloom.storage.local import LocalStorage

left, delete = int(sys.argv[2]), LocalStorage.delete

def killed(self, key):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    delete(self, key)

LocalStorage.delete = killed
Catalog.open(sys.argv[1]).gc(keep_runs=1, grace_seconds=0)
"""


def test_it_may_be_killed_anywhere(catalog: Catalog) -> None:
    for n in range(1, 4):
        run(catalog, n)
    make_old(catalog)
    kept = catalog.runs()[0].id
    removed, codes = 1, []
    while not codes or codes[-1] == 9:
        done = subprocess.run([sys.executable, "-c", KILLED, catalog.store_url, str(removed)], check=False)
        codes.append(done.returncode)
        problems = {diagnostic.code for diagnostic in catalog.verify()}
        assert problems <= {"S457"}, "the rest of a run that was half removed, at most"
        removed += 7
        assert catalog.run(kept).load("data") == b"3" * 9000
    assert codes[-1] == 0
    assert len(codes) > 1
    assert [r.id for r in catalog.runs()] == [kept]
    assert well(catalog)


def test_on_s3(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "cache"))
    catalog = Catalog.open(s3_url)
    runs = [api.run(slowly, {"n": n}, catalog=catalog, executor="inline") for n in (1, 2)]
    catalog.storage.create("checkpoints/" + "a" * 40 + "/manifest.json", b"{}")
    assert sum(catalog.gc(keep_runs=0).counts.values()) == 0, "all young"
    time.sleep(1.1)  # S3 tells whole seconds
    told = catalog.gc(keep_runs=1, grace_seconds=0, dry_run=True)
    found = catalog.gc(keep_runs=1, grace_seconds=0)
    assert found.runs == told.runs == (runs[0].id,)
    assert found.counts["objects"] > 0
    assert found.counts["checkpoints"] == 0
    assert well(catalog)
    assert catalog.run(runs[1].id).load("slow") == b"2" * 9000
    assert not list(catalog.storage.keys("gc/"))


def test_records_left_alone_are_whole(catalog: Catalog) -> None:
    run(catalog, 1)
    make_old(catalog)
    catalog.gc(keep_runs=1, grace_seconds=0)
    for key in files(catalog, "cache/"):
        decode_record(catalog.storage.read(key), key)
