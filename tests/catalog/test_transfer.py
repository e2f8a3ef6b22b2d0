"""Archives of runs: whole on the way out, distrusted on the way in."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from drawloom import Codec, File, api, pipeline, task
from drawloom.catalog import keys
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.records import RunStarted
from drawloom.catalog.runlog import RunWriter, write_run
from drawloom.errors import StoreError, ValueRefused


@task
def content(n: int) -> bytes:
    print("making", n)
    return b"%d" % n * 9000


@task
def written(data: bytes) -> File:
    path = Path(os.environ["TEST_FOLDER"], "a file.txt")
    path.write_bytes(data)
    return File(str(path))


@task
def many(n: int) -> list[str]:
    return [f"{n} {'x' * 200} {i}" for i in range(50)]


@pipeline
def flow(n: int) -> list[str]:
    data = content(n)
    file = written(data)  # noqa: F841  # its name is the node's
    return many(n)


@pytest.fixture
def made(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TEST_FOLDER", str(tmp_path))
    return api.run(flow, {"n": 3}, catalog=catalog, executor="inline")


@pytest.fixture
def other(tmp_path: Path) -> Catalog:
    return Catalog.open(str(tmp_path / "other"), "elsewhere")


def keys_in(catalog: Catalog) -> set[str]:
    return {key for key in catalog.storage.keys("") if not key.startswith("cache/")}


def test_a_run_is_carried_whole(catalog: Catalog, made: Any, other: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    told = catalog.export_to(path, made.id[:-1])
    assert (told.runs, told.files) == ((made.id,), told.new_files)
    brought = other.import_from(path)
    assert brought.new_files == told.files == len(keys_in(other))
    assert keys_in(other) == keys_in(catalog)
    assert other.verify() == []
    run = other.run(made.id)
    assert (run.state, run.result, run.logs("data")) == ("succeeded", made.result, "making 3\n")
    assert run.load("data") == b"3" * 9000
    assert Path(run.load("file").path).read_bytes() == b"3" * 9000
    assert other.load("flow/data") == b"3" * 9000
    again = other.import_from(path)
    assert (again.new_files, again.runs) == (0, (made.id,))
    assert not list(other.storage.keys("cache/")), "a foreign result answers no node"


def test_only_what_was_asked_for_is_carried(catalog: Catalog, made: Any, other: Catalog, tmp_path: Path) -> None:
    second = api.run(flow, {"n": 4}, catalog=catalog, executor="inline")
    catalog.export_to(tmp_path / "a.zip", "flow/data@1", "flow/data@1")
    assert other.import_from(tmp_path / "a.zip").runs == (made.id,)
    assert catalog.export_to(tmp_path / "b.zip", "last").runs == (second.id,)
    assert catalog.export_to(tmp_path / "b.zip", "flow/data").runs == (second.id,)
    assert catalog.export_to(tmp_path / "b.zip", "last", made.id).runs == tuple(sorted([made.id, second.id]))
    for wrong, code in (("nothing", "S451"), ("flow/data@9", "S458"), ("nothing@3", "S451")):
        with pytest.raises(StoreError, match=code):
            catalog.export_to(tmp_path / "c.zip", wrong)
    assert not (tmp_path / "c.zip").exists()


def test_a_cached_run_is_carried_without_the_one_that_answered_it(
    catalog: Catalog, made: Any, other: Catalog, tmp_path: Path
) -> None:
    second = api.run(flow, {"n": 3}, catalog=catalog, executor="inline")
    assert second.nodes(state="cached")
    catalog.export_to(tmp_path / "a.zip", second.id)
    other.import_from(tmp_path / "a.zip")
    assert other.verify() == []
    assert other.run(second.id).load("data") == b"3" * 9000


def test_to_and_from_s3(catalog: Catalog, made: Any, s3_url: str, tmp_path: Path) -> None:
    catalog.export_to(tmp_path / "a.zip", "last")
    remote = Catalog.open(s3_url)
    remote.import_from(tmp_path / "a.zip")
    assert remote.run(made.id).result == made.result
    remote.export_to(tmp_path / "b.zip", "last")
    with zipfile.ZipFile(tmp_path / "a.zip") as one, zipfile.ZipFile(tmp_path / "b.zip") as two:
        assert sorted(one.namelist()) == sorted(two.namelist())


def test_a_run_that_goes_on_is_not_exported(recorder: Any, catalog: Catalog, tmp_path: Path) -> None:
    write_run(catalog.storage, RunStarted("run-going", "p", recorder.program, recorder.refs(n=3), at=time.time()))
    with RunWriter(catalog.storage, "run-going") as writer:
        writer.append(recorder.commit("run-going", "first", 1))
        writer.flush()
        with pytest.raises(StoreError, match="S487"):
            catalog.export_to(tmp_path / "a.zip", "run-going")
    assert catalog.export_to(tmp_path / "a.zip", "run-going").runs == ("run-going",), "it has failed"


@pytest.mark.parametrize("how", ["missing", "corrupt"])
def test_a_store_that_isnt_whole_exports_nothing(catalog: Catalog, made: Any, tmp_path: Path, how: str) -> None:
    key = max(catalog.storage.keys("objects/"), key=catalog.storage.size_bytes)
    if how == "missing":
        catalog.storage.delete(key)
    else:
        catalog.storage.write(key, b"other bytes")
    with pytest.raises(StoreError, match=f"S488.*\n?.*{how}"):
        catalog.export_to(tmp_path / "a.zip", made.id)
    assert [path.name for path in tmp_path.iterdir() if "a.zip" in path.name] == []


def test_a_place_that_cant_be_written_or_read(catalog: Catalog, made: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="S489"):
        catalog.export_to(tmp_path / "no folder" / "a.zip", made.id)
    with pytest.raises(StoreError, match="S489"):
        catalog.import_from(tmp_path / "nothing.zip")


# hostile archives

Change = Callable[[dict[str, Any], dict[str, bytes]], None]


@pytest.fixture
def forged(catalog: Catalog, made: Any, tmp_path: Path) -> Callable[..., Path]:
    """Makes an archive whose manifest and files somebody changed; digests and sizes are told rightly if asked for."""
    source = tmp_path / "good.zip"
    catalog.export_to(source, made.id)

    def forge(change: Change, *, listed: bool = True, **more: Any) -> Path:
        with zipfile.ZipFile(source) as archive:
            files = {name: archive.read(name) for name in archive.namelist() if name != "drawloom.json"}
            manifest = json.loads(archive.read("drawloom.json"))
        change(manifest, files)
        if listed:
            from hashlib import sha256

            manifest["files"] = {key: [sha256(data).hexdigest(), len(data)] for key, data in files.items()}
        path = tmp_path / "forged.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
            archive.writestr("drawloom.json", json.dumps(manifest))
        return path

    return forge


def add(name: str, data: bytes = b"{}") -> Change:
    return lambda _, files: files.update({name: data})


def some(files: dict[str, bytes], start: str, end: str = "") -> str:
    return next(name for name in sorted(files) if name.startswith(start) and name.endswith(end))


HOSTILE_NAMES = [
    "../evil",
    "/etc/passwd",
    "objects/../../evil",
    "runs/x/../../../evil",
    "objects\\evil",
    "C:/evil",
    "tags/" + "a" * 40 + "/" + "b" * 40 + "/1.json",
    "cache/ab/" + "c" * 62 + ".json",
    "store.json",
    "RUNS/x",
    "runs/\u202e.json",
    "gc/clock",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_that_lead_elsewhere_are_refused(forged: Any, other: Catalog, name: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="S491"):
        other.import_from(forged(add(name)))
    assert keys_in(other) == set()
    assert not list(tmp_path.rglob("evil*"))


def _swap_object(_: dict[str, Any], files: dict[str, bytes]) -> None:
    files[some(files, "objects/")] = b"other bytes"


def _drop_object(_: dict[str, Any], files: dict[str, bytes]) -> None:
    del files[max((k for k in files if k.startswith("objects/")), key=lambda k: len(files[k]))]


def _drop_program(_: dict[str, Any], files: dict[str, bytes]) -> None:
    del files[some(files, "programs/", "/pipeline.json")]


def _drop_beginning(_: dict[str, Any], files: dict[str, bytes]) -> None:
    del files[some(files, "runs/", "/run.json")]


def _break_segment(_: dict[str, Any], files: dict[str, bytes]) -> None:
    name = some(files, "runs/", ".seg")
    files[name] = files[name].replace(b"succeeded", b"failed   ", 1)


def _other_run(_: dict[str, Any], files: dict[str, bytes]) -> None:
    name = some(files, "runs/", "/run.json")
    files["runs/another/run.json"] = files[name]


def _second_beginning(_: dict[str, Any], files: dict[str, bytes]) -> None:
    name = some(files, "runs/", "/run.json")
    files[name.replace("run.json", "9/finished.json")] = files[name]


def _deep(_: dict[str, Any], files: dict[str, bytes]) -> None:
    name = some(files, "runs/", "/run.json")
    files[name] = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_swap_object, "S492"),
        (_drop_object, "S490"),
        (_drop_program, "S490"),
        (_drop_beginning, "S490"),
        (_break_segment, "S414"),
        (_other_run, "S491"),
        (_second_beginning, "S491"),
        (_deep, "S4(91|16)"),
        (add("objects/ab/nothex"), "S492"),
        (add("objects"), "S491"),
        (add("runs/empty/segments/x.seg", b""), "S490"),
        (lambda manifest, _: manifest.update(format=99), "S490"),
        (lambda manifest, _: manifest.pop("format"), "S490"),
    ],
)
def test_what_isnt_right_is_refused_before_anything_is_written(
    forged: Any, other: Catalog, change: Change, code: str
) -> None:
    with pytest.raises(StoreError, match=code):
        other.import_from(forged(change))
    assert keys_in(other) == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda manifest, _: manifest["files"].popitem(), "S491"),
        (lambda manifest, _: manifest["files"].update({"runs/x/run.json": ["a" * 64, 3]}), "S491"),
        (lambda manifest, _: manifest.update(files=[]), "S490"),
        (lambda manifest, _: manifest["files"].update({"runs/x/run.json": "evil"}), "S490"),
        (lambda manifest, _: manifest["files"].update({"runs/x/run.json": ["a" * 64, -1]}), "S491"),
        (lambda manifest, files: files.update({some(files, "runs/", ".seg"): b"cut"}), "S491"),
        (lambda manifest, files: files.update({(n := some(files, "runs/", ".seg")): files[n][::-1]}), "S492"),
    ],
)
def test_what_the_list_says_otherwise_is_refused(forged: Any, other: Catalog, change: Change, code: str) -> None:
    with pytest.raises(StoreError, match=code):
        other.import_from(forged(change, listed=False))
    assert keys_in(other) == set()


def test_an_entry_twice_is_refused(forged: Any, other: Catalog) -> None:
    path = forged(lambda *_: None)
    with zipfile.ZipFile(path, "a") as archive:
        name = archive.namelist()[0]
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, b"another")
    with pytest.raises(StoreError, match="S491"):
        other.import_from(path)


def test_a_bomb_is_refused(forged: Any, other: Catalog, tmp_path: Path) -> None:
    from hashlib import sha256

    zeros = bytes(50_000_000)
    sha = sha256(zeros).hexdigest()
    path = forged(add(keys.object_key(sha), zeros))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(StoreError, match=r"S491.*would unpack"):
        other.import_from(path, limit_bytes=10_000_000)
    assert other.import_from(path).size_bytes > 50_000_000
    lying = forged(
        lambda manifest, files: (
            files.update({keys.object_key(sha): zeros}),
            manifest["files"].update({keys.object_key(sha): [sha, 10]}),
        ),
        listed=False,
    )
    with pytest.raises(StoreError, match="S491"):
        other.import_from(lying)


@pytest.mark.parametrize("cut", [0, 10, 1000, -30])
def test_a_cut_or_scrambled_file_is_refused(
    catalog: Catalog, made: Any, other: Catalog, tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "a.zip"
    catalog.export_to(path, made.id)
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    with pytest.raises(StoreError, match="S490"):
        other.import_from(path)
    middle = len(data) // 3
    path.write_bytes(data[:middle] + bytes(b ^ 255 for b in data[middle : middle + 40]) + data[middle + 40 :])
    with pytest.raises(StoreError, match=r"S49[012]"):
        other.import_from(path)
    assert keys_in(other) == set()


def test_a_run_that_is_there_in_another_form_is_kept(forged: Any, other: Catalog, made: Any) -> None:
    other.import_from(forged(lambda *_: None))
    before = {key: other.storage.read(key) for key in keys_in(other)}

    def retell(_: dict[str, Any], files: dict[str, bytes]) -> None:
        name = some(files, "runs/", "/run.json")
        tree = json.loads(files[name])
        files[name] = json.dumps({**tree, "at": 5.0}).encode()

    def grow(_: dict[str, Any], files: dict[str, bytes]) -> None:
        name = some(files, "runs/", ".seg")
        files[name.replace("00000000.seg", "00000001.seg")] = files[name]

    for change in (retell, grow):
        with pytest.raises(StoreError, match="S493"):
            other.import_from(forged(change))
    assert {key: other.storage.read(key) for key in keys_in(other)} == before


def test_an_import_that_was_cut_off_is_finished_by_the_next(forged: Any, other: Catalog, made: Any) -> None:
    path = forged(lambda *_: None)
    other.import_from(path)
    for key in sorted(keys_in(other))[1::2]:
        other.storage.delete(key)
    other.storage.delete(keys.run_key(made.id))
    other.import_from(path)
    assert other.verify() == []
    assert other.run(made.id).result == made.result


class Odd:
    """A class that only a pickle keeps."""


@task
def odd() -> Annotated[Odd, Codec("pickle")]:
    return Odd()


@pipeline
def pickling() -> Annotated[Odd, Codec("pickle")]:
    return odd()


def test_pickles_come_in_by_the_importers_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "cache"))
    source = Catalog.open(str(tmp_path / "source"), allow_pickle=True)
    run = api.run(pickling, catalog=source, executor="inline")
    assert run.state == "succeeded"
    source.export_to(tmp_path / "a.zip", run.id)
    careful = Catalog.open(str(tmp_path / "careful"))
    careful.import_from(tmp_path / "a.zip")
    with pytest.raises(ValueRefused, match="V306"):
        careful.load("pickling/odd")
    trusting = Catalog.open(str(tmp_path / "trusting"), allow_pickle=True)
    with pytest.raises(StoreError, match=r"S491.*pickles"):
        trusting.import_from(tmp_path / "a.zip")
    assert keys_in(trusting) == set()
    trusting.import_from(tmp_path / "a.zip", trust_pickles=True)
