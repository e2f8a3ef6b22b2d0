"""`File` and `Directory`: content and names travel, by value; hostile names, links and missing files don't."""

from __future__ import annotations

import copy
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import CorruptObject, StoreError, ValueRefused
from drawloom.storage.objects import Objects, object_key
from drawloom.storage.open import open_storage
from drawloom.values.files import Directory, File
from drawloom.values.scratch import new_folder
from drawloom.values.store import Values

NAMES = ["a.txt", "x y {{z}} ${HOME} 'q' \"d\".csv", "é😀.bin", "-rf", "a" * 255, ".hidden", "con"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_file_comes_back_with_its_name_and_content(values: Values, name: str) -> None:
    file = File.write(b"\x00{{\r\n", name)
    again = values.decode(values.encode({"f": file}))["f"]
    assert (again.name, again.read_bytes()) == (name, b"\x00{{\r\n")
    assert os.path.basename(again.path) == name
    assert again == file
    assert again.path != file.path


@given(st.binary(max_size=50), st.binary(max_size=50))
@settings(max_examples=40, deadline=None)
def test_equal_content_and_name_is_an_equal_digest(shared: Values, a: bytes, b: bytes) -> None:
    first, second = (shared.encode(File.write(data, "x.bin")) for data in (a, b))
    assert (first["digest"] == second["digest"]) == (a == b)
    assert shared.decode(first).read_bytes() == a


def test_the_name_counts_and_the_place_does_not(values: Values, tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a").write_text("x")
    trees = [values.encode(File(tmp_path / place / "a")) for place in ("one", "two")]
    assert trees[0] == trees[1]
    assert values.encode(File(tmp_path / "one" / "a", name="b"))["digest"] != trees[0]["digest"]


def test_each_reader_has_a_copy_of_its_own(values: Values) -> None:
    tree = values.encode(File.write("x", "a.txt"))
    first, second = values.decode(tree), values.decode(tree)
    with first.open("w") as file:
        file.write("changed")
    assert second.read_text() == "x"
    assert values.decode(tree).read_text() == "x"
    assert values.decode(values.encode(first)).read_text() == "changed"


def test_a_file_nobody_opened_is_not_copied(values: Values, tmp_path: Path) -> None:
    tree = values.encode(File.write("x", "a.txt"))
    again = values.decode(tree)
    assert values.encode([again]) == [tree]
    assert not list((tmp_path / "scratch").rglob("a.txt"))


def test_a_file_nobody_opened_is_stored_anew_in_another_store(values: Values, tmp_path: Path) -> None:
    other = Values(Objects(open_storage(str(tmp_path / "other"))))
    passed = values.decode(values.encode(File.write("x", "a.txt")))
    assert other.decode(other.encode(passed)).read_text() == "x"


def test_a_deep_copy_has_content_of_its_own(values: Values) -> None:
    made = File.write("x", "a.txt")
    for file in (made, values.decode(values.encode(made))):
        twin = copy.deepcopy(file)
        twin.open("w").close()
        assert file.read_text() == "x"
    folder = Directory.create("d")
    Path(folder.path, "x").write_text("1")
    Path(copy.deepcopy(folder).path, "x").unlink()
    assert folder.files() == ["x"]
    assert copy.deepcopy(File("/nowhere/a")).path == "/nowhere/a"


def test_a_file_can_go_to_another_process(values: Values) -> None:
    again = pickle.loads(pickle.dumps(values.decode(values.encode(File.write("x", "a.txt")))))
    assert again.read_text() == "x"


def test_text_is_utf_8_and_line_ends_stay(values: Values) -> None:
    file = File.write("é\r\n", "a.txt")
    assert file.read_text() == "é\r\n"
    with file.open("rb") as opened:
        assert opened.read() == "é\r\n".encode()
    with open(file, encoding="utf-8", newline="") as opened:
        assert opened.read() == "é\r\n"


def fill(folder: Directory, files: dict[str, str]) -> Directory:
    for name, content in files.items():
        path = Path(folder.path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


TREE = {"a.txt": "1", "sub/b {{x}}.txt": "2", "sub/deeper/é": "", "z": "3"}


def test_a_directory_comes_back_with_all_that_is_in_it(values: Values) -> None:
    folder = fill(Directory.create("out"), TREE)
    (Path(folder.path) / "empty" / "inner").mkdir(parents=True)
    again = values.decode(values.encode(folder))
    assert (again.name, again.files()) == ("out", sorted(TREE))
    assert {name: Path(again.path, name).read_text() for name in again.files()} == TREE
    assert (Path(again.path) / "empty" / "inner").is_dir()
    assert again == folder
    assert values.encode(Directory(again.path)) == values.encode(folder)


def test_what_is_in_a_directory_counts(values: Values) -> None:
    variants = [TREE, TREE | {"a.txt": "2"}, TREE | {"b.txt": "1"}, {k: v for k, v in TREE.items() if k != "z"}, {}]
    folders = [fill(Directory.create("d"), files) for files in variants]
    folders.append(fill(Directory.create("other name"), TREE))
    with_empty = fill(Directory.create("d"), TREE)
    (Path(with_empty.path) / "empty").mkdir()
    folders.append(with_empty)
    assert len({values.encode(folder)["digest"] for folder in folders}) == len(folders)
    assert folders[0] != folders[1]


def test_readers_of_a_directory_do_not_share_it(values: Values) -> None:
    tree = values.encode(fill(Directory.create("d"), TREE))
    Path(values.decode(tree).path, "z").unlink()
    assert values.decode(tree).files() == sorted(TREE)


def refusal(values: Values, value: Any) -> Any:
    with pytest.raises(ValueRefused) as caught:
        values.encode(value)
    return caught.value.diagnostics[0]


def test_a_missing_file_is_refused_with_its_path(values: Values, tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    assert str(refusal(values, File(path))) == (
        f"error[V305] the file {path} can't be read: No such file or directory\n"
        f"  where  {path}\n"
        "  fix    check the path; a task's result must exist until the task has returned, and be readable by this user"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(values: Values, tmp_path: Path) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("x")
    path.chmod(0)
    assert "can't be read: Permission denied" in refusal(values, File(path)).what


def test_what_is_no_regular_file_is_refused(values: Values, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(values, File(tmp_path / "pipe")).what.endswith("is not a regular file but a pipe")
    found = refusal(values, File(tmp_path))
    assert found.what.endswith("is not a regular file but a directory")
    assert found.fix == "hand over a folder as `Directory(path)`"
    assert refusal(values, File("/dev/null")).what.endswith("is not a regular file but a device")
    assert refusal(values, Directory(tmp_path / "pipe")).what.endswith("is not a directory")
    inside = fill(Directory.create("d"), {"a": "1"})
    os.mkfifo(os.path.join(inside.path, "pipe"))
    assert refusal(values, inside).what.endswith("is not a regular file but a pipe")


def test_a_link_in_a_directory_is_refused_and_a_link_to_a_file_is_followed(values: Values, tmp_path: Path) -> None:
    folder = fill(Directory.create("d"), {"sub/a": "1"})
    os.symlink("/etc/passwd", os.path.join(folder.path, "sub", "link"))
    assert refusal(values, folder).what == f"sub/link in the directory {folder.path} is a symbolic link"
    (tmp_path / "real").write_text("x")
    os.symlink(tmp_path / "real", tmp_path / "link.txt")
    again = values.decode(values.encode(File(tmp_path / "link.txt")))
    assert (again.name, again.read_text()) == ("link.txt", "x")


BAD_NAMES = ["", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", "a\x00b", "a\nb", "\ud800", "é" * 200]


@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_a_hostile_name_is_refused_on_the_way_in_and_on_the_way_out(values: Values, name: str) -> None:
    with pytest.raises(ValueRefused, match=r"V305.*can't be the name of a file"):
        File.write(b"x", name)
    with pytest.raises(ValueRefused, match="V305"):
        Directory.create(name)
    tree = values.encode(File.write(b"x", "a"))
    with pytest.raises(ValueRefused, match="V305"):
        values.decode(tree | {"name": name})
    if name:
        file = File.write(b"x", "a")
        file.name = name
        assert refusal(values, file).code == "V305"
    if name != "a/b":
        folder = values.encode(fill(Directory.create("d"), {"x": "1"}))
        for inner in (name, f"a/{name}", f"{name}/a"):
            hostile = {**folder, "files": [folder["files"][0] | {"name": inner}]}
            with pytest.raises(ValueRefused, match="V305"):
                values.decode(hostile)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes these names for one")
@pytest.mark.parametrize("twins", [("A", "a"), ("é", "e\u0301"), ("straße", "STRASSE")])
def test_names_that_some_systems_take_for_one_are_refused(values: Values, twins: tuple[str, str]) -> None:
    found = refusal(values, fill(Directory.create("d"), dict.fromkeys(twins, "x")))
    assert "differ only in case or accents" in found.what


def test_a_missing_and_a_corrupt_object_are_told_when_the_path_is_asked_for(values: Values, tmp_path: Path) -> None:
    tree = values.encode(File.write("hello", "a.txt"))
    stored = tmp_path / "store" / object_key(tree["object"])
    stored.chmod(stat.S_IRUSR | stat.S_IWUSR)
    stored.write_bytes(b"hellO")
    with pytest.raises(CorruptObject, match="S401"):
        _ = values.decode(tree).path
    stored.unlink()
    with pytest.raises(StoreError, match="S407"):
        values.decode(tree).read_text()


def test_a_file_that_is_not_given_a_regular_class_is_refused(values: Values) -> None:
    class Special(File):
        pass

    assert "a subclass would come back as its base" in refusal(values, Special("/etc/hostname")).what


def test_scratch_folders_go_when_their_process_ends(tmp_path: Path) -> None:
    code = (
        "import os; from drawloom.values.files import File; f = File.write('x', 'a'); print(f.path);"
        "pid = os.fork()\n"
        "if pid == 0: File.write('y', 'b'); raise SystemExit(0)\n"
        "os.waitpid(pid, 0); assert f.read_text() == 'x'"
    )
    env = {**os.environ, "DRAWLOOM_SCRATCH": str(tmp_path / "scratch")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path / "scratch"))
    assert os.listdir(tmp_path / "scratch") == []


def test_scratch_folders_are_private_and_distinct(tmp_path: Path) -> None:
    first, second = new_folder(str(tmp_path)), new_folder(str(tmp_path))
    assert first != second
    assert stat.S_IMODE(os.stat(first).st_mode) == 0o700
