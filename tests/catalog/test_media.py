"""What a stored value is made of, told from its envelope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.media import codec_of, media_type, stored_objects
from drawloom.values.files import Directory, File


def tree(catalog: Catalog, value: Any) -> Any:
    return catalog.values.encode(value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "text/csv"),
        ("é ☃.JSON", "application/json"),
        ("x.png", "image/png"),
        ("none", "application/octet-stream"),
        ("a.b.unknown-ending", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_name_says(catalog: Catalog, tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).write_bytes(b"12345")
    found = tree(catalog, File(str(tmp_path / name)))
    assert (media_type(found), codec_of(found)) == (expected, "file")
    (one,) = stored_objects(found)
    assert (one.size_bytes, one.media_type, one.name) == (5, expected, name)
    assert catalog.objects.get(one.sha256) == b"12345"


def test_a_folder_has_an_object_for_each_file(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "d" / "in").mkdir(parents=True)
    (tmp_path / "d" / "in" / "a.txt").write_text("1")
    (tmp_path / "d" / "b.png").write_text("22")
    found = tree(catalog, Directory(str(tmp_path / "d")))
    assert media_type(found) == "inode/directory"
    names = {(one.name, one.size_bytes, one.media_type) for one in stored_objects(found)}
    assert names == {("in/a.txt", 1, "text/plain"), ("b.png", 2, "image/png")}


def test_the_objects_of_parts_are_found_and_plain_values_have_none(catalog: Catalog) -> None:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    wide = pd.DataFrame({"a": np.arange(5000.0)})
    found = tree(catalog, {"frame": wide, "rest": [np.arange(5000), (Figure(figsize=(1, 1)), b"x" * 5000)], "n": 1})
    assert [(one.codec, one.media_type) for one in stored_objects(found)] == [
        ("dataframe", "application/vnd.apache.arrow.file"),
        ("ndarray", "application/x-npy"),
        ("figure", "image/png"),
        ("bytes", "application/octet-stream"),
    ]
    assert (media_type(found), codec_of(found)) == ("application/json", "")
    assert list(stored_objects(tree(catalog, [1, "object", None, {"object": "no"}]))) == []
