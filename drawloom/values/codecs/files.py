"""`File` and `Directory`: content as objects, streamed; a directory is a manifest of relative names.

Digest: names and content. A directory's empty folders count too.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from typing import Any

from drawloom.errors import ValueRefused
from drawloom.ir.canonical import Json, digest_json
from drawloom.ir.envelope import NotEncodable
from drawloom.values.files import Directory, File, check_name
from drawloom.values.leaves import Leaves
from drawloom.values.problems import refused
from drawloom.values.scratch import new_folder

__all__ = ["decode", "encode"]


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of a file or a directory, its content stored.

    Raises:
        ValueRefused: V305, it is missing, unreadable, of another kind, or has a name that not every system can hold.
        StoreError: it changed while it was being stored.
    """
    if type(value) not in (File, Directory):
        raise NotEncodable(value, "", "a subclass would come back as its base", fix="keep it inside a class of its own")
    known = value.tree_in(leaves.objects)
    if known is not None:
        return known
    name = check_name(value.name, value.path)
    if type(value) is File:
        sha, size = _put(value.path, leaves)
        return {"$": "file", "name": name, "object": sha, "size": size, "digest": digest_json([name, sha])}
    return _encode_directory(value.path, name, leaves)


def _put(path: str, leaves: Leaves) -> tuple[str, int]:
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            fix = (
                "hand over a folder as `Directory(path)`"
                if stat.S_ISDIR(mode)
                else "copy its content into a file first"
            )
            raise refused("V305", f"{path} is not a regular file but {_kind(mode)}", fix, path)
        return leaves.objects.put_file(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _kind(mode: int) -> str:
    names = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISLNK, "a link"),
    )
    return next((name for test, name in names if test(mode)), "a device")


def _unreadable(path: str, error: OSError) -> ValueRefused:
    told = os.strerror(error.errno) if error.errno else str(error)
    fix = "check the path; a task's result must exist until the task has returned, and be readable by this user"
    return refused("V305", f"the file {path} can't be read: {told}", fix, path)


def _encode_directory(root: str, name: str, leaves: Leaves) -> Json:
    files: list[Json] = []
    folders: list[str] = []
    if not os.path.isdir(root):
        fix = "hand over a single file as `File(path)`; check the path"
        raise refused("V305", f"{root} is not a directory", fix, root)
    _collect(root, "", files, folders, leaves)
    digest = digest_json([name, [[f["name"], f["object"]] for f in files], folders])
    return {"$": "directory", "name": name, "files": files, "folders": folders, "digest": digest}


def _collect(root: str, prefix: str, files: list[Json], folders: list[str], leaves: Leaves) -> None:
    path = os.path.join(root, prefix)
    try:
        with os.scandir(path) as scan:
            entries = sorted(scan, key=lambda e: e.name)
    except OSError as error:
        raise _unreadable(path, error) from error
    _refuse_twins([entry.name for entry in entries], path)
    if prefix and not entries:
        folders.append(prefix)
    for entry in entries:
        relative = f"{prefix}/{entry.name}" if prefix else check_name(entry.name, entry.path)
        check_name(entry.name, entry.path)
        if entry.is_symlink():
            fix = "copy what it points to in its place: the link would point nowhere on another machine"
            raise refused("V305", f"{relative} in the directory {root} is a symbolic link", fix, entry.path)
        if entry.is_dir():
            _collect(root, relative, files, folders, leaves)
        else:
            sha, size = _put(entry.path, leaves)
            files.append({"name": relative, "object": sha, "size": size})


def _refuse_twins(names: list[str], path: str) -> None:
    """Names that some file systems take for one."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            fix = "rename one of them: on a file system that ignores case they would be one file"
            raise refused("V305", f"{twin!r} and {name!r} in {path} differ only in case or accents", fix, path)


def decode(tree: Json, leaves: Leaves) -> Any:
    """The file or directory of a tree; its content is copied when its path is first asked for."""
    name = check_name(tree["name"])
    if tree["$"] == "file":
        return File.from_tree(tree, name, leaves.objects, lambda: _make_file(tree, name, leaves))
    for relative in [f["name"] for f in tree["files"]] + tree["folders"]:
        for part in relative.split("/"):
            check_name(part)
    return Directory.from_tree(tree, name, leaves.objects, lambda: _make_directory(tree, name, leaves))


def _make_file(tree: Json, name: str, leaves: Leaves) -> str:
    folder = new_folder(leaves.scratch)
    path = os.path.join(folder, name)
    _fetch(tree["object"], folder, path, leaves)
    return path


def _fetch(sha: str, folder: str, path: str, leaves: Leaves) -> None:
    """Makes the file `path`; first under a short name, since a name may be as long as a name can be."""
    part = os.path.join(folder, "content")
    leaves.objects.get_to_file(sha, part)
    os.replace(part, path)


def _make_directory(tree: Json, name: str, leaves: Leaves) -> str:
    parts = new_folder(leaves.scratch)
    root = os.path.join(new_folder(leaves.scratch), name)
    os.mkdir(root)
    for folder in tree["folders"]:
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    for file in tree["files"]:
        path = os.path.join(root, file["name"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _fetch(file["object"], parts, path, leaves)
    return root
