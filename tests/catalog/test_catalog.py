"""What the catalog tells of runs, artifacts and their versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.artifacts import Reader
from drawloom.catalog.catalog import Catalog, UnreadableRunWarning
from drawloom.catalog.keys import tag_key
from drawloom.catalog.records import FailureInfo, Tag, record_to_json
from drawloom.errors import StoreError
from drawloom.ir.canonical import canonical_json


def tag(catalog: Catalog, artifact: str, name: str, digest: str, at: float) -> None:
    text = canonical_json(record_to_json(Tag(artifact, name, digest, at=at))).encode()
    assert catalog.storage.create(tag_key(artifact, name, at, "x"), text)


def test_open_strips_its_arguments_and_makes_a_store(tmp_path: Path) -> None:
    catalog = Catalog.open(f" {tmp_path}/store\n", " churn ")
    assert (catalog.url, catalog.project) == (f"{tmp_path}/store/projects/churn", "churn")
    assert (tmp_path / "store" / "store.json").is_file()
    assert repr(catalog) == f"Catalog('{tmp_path}/store/projects/churn')"


def test_a_missing_store_is_not_made_if_it_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="S411"):
        Catalog.open(str(tmp_path / "none"), create=False)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("project", ["", "Churn", "a/b", "..", "a:b", "x" * 129])
def test_what_cannot_be_a_projects_id_is_refused(tmp_path: Path, project: str) -> None:
    with pytest.raises(StoreError) as error:
        Catalog.open(str(tmp_path), project)
    assert str(error.value) == (
        f"error[S450] {project[:80]!r} can't be a project's id: expected lower-case letters, digits, `-`, `_` and `.`\n"
        "  fix    choose another id, such as `churn-2024`; it becomes a folder's name in the store"
    )


def test_projects_of_one_store_do_not_see_each_other(tmp_path: Path, recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    other = Catalog.open(str(tmp_path / "store"), "other")
    assert (len(catalog.runs()), other.runs(), other.artifacts()) == (1, [], [])


def test_runs_are_listed_newest_first_and_filtered(recorder: Any, catalog: Catalog) -> None:
    recorder.good("a1", at=10.0)
    recorder.failed("a2", FailureInfo("builtins:ValueError"), at=30.0)
    recorder.good("b1", at=20.0)
    assert [run.id for run in catalog.runs()] == ["a2", "b1", "a1"]
    assert [run.id for run in catalog.runs(state="succeeded")] == ["b1", "a1"]
    assert [run.id for run in catalog.runs(state="succeeded", limit=1)] == ["b1"]
    assert [run.id for run in catalog.runs(pipeline="p", limit=2)] == ["a2", "b1"]
    assert catalog.runs(pipeline="q") == []


def test_a_run_is_found_by_the_beginning_of_its_id(recorder: Any, catalog: Catalog) -> None:
    for run in ("a1", "a11", "b1"):
        recorder.good(run)
    assert [catalog.run(name).id for name in ("a1", "a11", "b")] == ["a1", "a11", "b1"]


def test_an_unknown_run_is_refused_with_a_near_id(recorder: Any, catalog: Catalog) -> None:
    recorder.good("20261121-a1")
    with pytest.raises(StoreError) as error:
        catalog.run("20261121-A1")
    assert str(error.value) == (
        "error[S451] there is no run `20261121-A1` among 1, did you mean `20261121-a1`?\n"
        f"  where  {catalog.url}\n"
        "  fix    see the runs there are with `drawloom runs`"
    )
    with pytest.raises(StoreError, match="there is no run `` among 1"):
        catalog.run("")


def test_the_beginning_of_several_ids_is_refused(recorder: Any, catalog: Catalog) -> None:
    recorder.good("a1")
    recorder.good("a2")
    with pytest.raises(StoreError) as error:
        catalog.run("a")
    assert str(error.value) == (
        "error[S451] 2 runs have an id that begins with `a`: a1, a2\n"
        f"  where  {catalog.url}\n"
        "  fix    give more of the id"
    )


def test_artifacts_are_named_by_pipeline_and_node(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    assert [artifact.name for artifact in catalog.artifacts()] == ["p", "p/all", "p/first", "p/last", "p/params/n"]
    assert [artifact.name for artifact in catalog.artifacts("p/*s*")] == ["p/first", "p/last", "p/params/n"]


def test_versions_count_distinct_values_in_the_order_of_their_first_commit(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r2", n=2, at=20.0)  # written first, committed second
    recorder.good("r1", n=1, at=10.0)
    recorder.good("r3", n=1, at=30.0)  # an old value again
    versions = catalog.artifact("p").versions
    assert [(v.number, v.made.run, v.latest_run) for v in versions] == [(1, "r1", "r3"), (2, "r2", "r2")]
    assert [catalog.load("p", n) for n in (1, 2)] == [2, 4]
    assert (catalog.load("p"), catalog.load("p", "latest")) == (2, 2)  # the newest run's, not the highest number's


def test_a_version_tells_who_made_it_and_who_read_it(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1", n=3, at=10.0)
    (version,) = catalog.artifact("p/first").versions
    assert (version.made.run, version.made.node, version.made.function, version.made.at) == (
        "r1",
        "first",
        "d" * 64,
        11.0,
    )
    assert (version.type, version.size_bytes, len(version.digest)) == ("int", 3, 64)
    assert version.read_by == (
        Reader("r1", "all", "items"),
        Reader("r1", "last", "n"),
        Reader("r1", "one", "n"),
    )


def test_a_version_is_chosen_by_number_tag_or_digest(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1", n=1, at=10.0)
    recorder.good("r2", n=2, at=20.0)
    one, two = catalog.artifact("p").versions
    tag(catalog, "p", "prod", two.digest, at=1.0)
    tag(catalog, "p", "prod", one.digest, at=2.0)  # a later record moves the tag
    tag(catalog, "p", "2", one.digest, at=3.0)  # a tag goes before a number
    assert [catalog.load("p", v) for v in (1, "prod", "2", two.digest[:8], two.digest, "1")] == [2, 2, 2, 4, 4, 2]
    assert catalog.artifact("p").versions[0].tags == ("2", "prod")


def test_an_unknown_version_is_refused_with_those_there_are(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    digest = catalog.artifact("p").versions[0].digest
    tag(catalog, "p", "prod", digest, at=1.0)
    for version in (2, 0, -1, "zz", digest[:3]):
        with pytest.raises(StoreError) as error:
            catalog.load("p", version)
        assert str(error.value) == (
            f"error[S458] 'p' has no version {version!r}\n"
            "  fix    give a number (1), a tag (prod), `latest`, or the start of a digest"
        )


def test_an_unknown_artifact_is_refused_with_a_near_name(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    with pytest.raises(StoreError) as error:
        catalog.load("p/frist")
    assert str(error.value) == (
        "error[S453] there is no artifact `p/frist` among 5, did you mean `p/first`?\n"
        f"  where  {catalog.url}\n"
        "  fix    see the names there are with `drawloom catalog ls`"
    )


def test_a_run_that_cannot_be_read_is_left_out_with_a_warning(recorder: Any, catalog: Catalog) -> None:
    recorder.good("r1")
    recorder.good("r2")
    catalog.storage.write("runs/r2/0/commits/x.json", b'{"kind":"from-the-future"}')
    with pytest.warns(UnreadableRunWarning, match="run r2 is left out: error.S415"):
        assert [run.id for run in catalog.runs()] == ["r1"]
    catalog.storage.delete("runs/r2/0/commits/x.json")
    assert len(catalog.runs()) == 2


def test_a_store_that_is_no_folder_serves_as_well(
    new_recorder: Callable[[Catalog], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "cache"))
    catalog = Catalog.open(f"memory://{tmp_path.name}")
    recorder = new_recorder(catalog)
    run = recorder.good("r1", n=5)
    assert (run.state, run.result, [found.id for found in catalog.runs()]) == ("succeeded", 10, ["r1"])
    assert catalog.load("p/all") == [20]
    assert catalog.verify() == []


def test_a_path_serves_as_well_as_text(tmp_path: Path) -> None:
    assert Catalog.open(tmp_path / "store").url == f"{tmp_path}/store/projects/default"
