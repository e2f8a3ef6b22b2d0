"""Tags: given, moved and taken away, as records that every reader sees alike."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.keys import tag_key
from drawloom.catalog.records import Tag, record_to_json
from drawloom.catalog.tags import read_tags
from drawloom.errors import StoreError
from drawloom.ir.canonical import canonical_json


@pytest.fixture
def versions(recorder: Any, catalog: Catalog) -> list[str]:
    """The digests of two versions of the artifact `p`."""
    recorder.good("r1", n=1, at=10.0)
    recorder.good("r2", n=2, at=20.0)
    return [version.digest for version in catalog.artifact("p").versions]


@pytest.mark.parametrize("name", ["prod", "2024-q1", "é ☃", "a'b\"c", "{{x}}", "x" * 128, "v1/beta"])
def test_a_tag_is_given_moved_and_taken_away(versions: list[str], catalog: Catalog, name: str) -> None:
    assert catalog.tag("p", name, 1).tags == (name,)
    assert catalog.load("p", name) == 2
    assert catalog.tag("p", name).number == 2
    assert [version.tags for version in catalog.artifact("p").versions] == [(), (name,)]
    assert read_tags(catalog.storage, "p") == {name: versions[1]}
    assert catalog.untag("p", name).tags == ()
    assert read_tags(catalog.storage, "p") == {}
    with pytest.raises(StoreError, match="S458"):
        catalog.load("p", name)
    catalog.tag("p", name, 1)
    assert catalog.version("p", name).number == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("latest", "`latest` is always the version that was committed last"),
        ("12", "a number means the version of that number"),
        ("x" * 129, "it has 129 characters, and 128 is the most"),
        ("a\nb", "it begins or ends with a space, or holds characters that can't be shown"),
        (" a", "it begins or ends with a space, or holds characters that can't be shown"),
    ],
)
def test_s474_what_can_not_be_a_tag_is_refused(versions: list[str], catalog: Catalog, name: str, reason: str) -> None:
    with pytest.raises(StoreError) as error:
        catalog.tag("p", name)
    assert str(error.value) == (
        f"error[S474] {name[:80]!r} can't be a tag: {reason}\n  fix    choose a word, such as `prod` or `2024-q1`"
    )
    assert list(catalog.storage.keys("tags/")) == []


def test_s475_a_tag_that_is_not_there_can_not_be_taken_away(versions: list[str], catalog: Catalog) -> None:
    with pytest.raises(StoreError) as error:
        catalog.untag("p", "prod")
    assert str(error.value) == "error[S475] 'p' has no tag 'prod'\n  fix    none of its versions has a tag"
    catalog.tag("p", "prod")
    with pytest.raises(StoreError) as error:
        catalog.untag("p", "prdo")
    assert str(error.value) == "error[S475] 'p' has no tag 'prdo', did you mean `prod`?\n  fix    its tags are prod"


def test_tags_of_one_artifact_are_not_those_of_another(versions: list[str], catalog: Catalog) -> None:
    catalog.tag("p", "prod")
    assert catalog.artifact("p/first").versions[0].tags == ()
    with pytest.raises(StoreError, match="S453"):
        catalog.tag("nothing", "prod")


def test_a_clock_that_is_ahead_does_not_keep_a_tag(versions: list[str], catalog: Catalog) -> None:
    record = Tag("p", "prod", versions[0], at=9e9)
    text = canonical_json(record_to_json(record)).encode()
    catalog.storage.create(tag_key("p", "prod", record.at, "x"), text)
    assert catalog.version("p", "prod").number == 1
    assert catalog.tag("p", "prod", 2).tags == ("prod",)


def test_tags_are_noticed_by_another_index_and_when_records_go(versions: list[str], catalog: Catalog) -> None:
    other = Catalog.open(catalog.url.partition("/projects/")[0])
    other.artifacts()
    catalog.tag("p", "prod", 1)
    assert other.version("p", "prod").number == 1
    for key in list(catalog.storage.keys("tags/")):
        catalog.storage.delete(key)
    assert other.artifact("p").versions[0].tags == ()


def test_a_broken_record_is_told_to_who_asks_for_that_artifact_alone(versions: list[str], catalog: Catalog) -> None:
    catalog.tag("p", "prod", 1)
    (key,) = catalog.storage.keys("tags/")
    catalog.storage.write(key, b"{")
    fresh = Catalog.open(catalog.url.partition("/projects/")[0])
    fresh.rebuild()
    assert len(fresh.runs()) == 2
    assert fresh.artifact("p/first").name == "p/first"
    with pytest.raises(StoreError, match="S416"):
        fresh.artifact("p")
