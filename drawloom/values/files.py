"""`File` and `Directory`: files as values. Their content and names are versioned; where they lie is not.

A task that is given one gets a copy of its own in a scratch folder, made when it first asks for the path, so that what
it does to the copy changes nobody else's. Permissions and times of change don't come along.
Standard library alone: a step loads this module.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from drawloom.values.problems import refused
from drawloom.values.scratch import new_folder

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Directory", "File", "check_name"]

_NAME_LIMIT_BYTES = 255  # of Linux and macOS file systems
_NAME_FIX = "rename it: a plain name of letters, digits, spaces and punctuation without `/`, at most 255 bytes"


def check_name(name: object, place: str = "") -> str:
    """The name itself if it can be the name of a file on every system.

    Raises:
        ValueRefused: V305, it is empty, leads elsewhere, or can't be written in UTF-8.
    """
    problem = ""
    if not isinstance(name, str) or not name:
        problem = "it is empty" if name == "" else "it is no str"
    elif name in (".", "..") or "/" in name or "\\" in name:
        problem = "it leads to another folder"
    elif any(letter < " " or letter == "\x7f" for letter in name):
        problem = "it has a control character"
    else:
        try:
            if len(name.encode()) > _NAME_LIMIT_BYTES:
                problem = f"it is longer than {_NAME_LIMIT_BYTES} bytes"
        except UnicodeEncodeError:
            problem = "it is not valid UTF-8"
    if problem or not isinstance(name, str):
        raise refused("V305", f"{name!r:.120} can't be the name of a file: {problem}", _NAME_FIX, place)
    return name


class _Stored:
    """What files and directories share: a path that may first have to be made."""

    __slots__ = ("_home", "_make", "_path", "_tree", "name")

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        self._path: str | None = os.fspath(path)
        self._make: Callable[[], str] | None = None
        self._tree: Any = None  # the JSON tree it was read from, as long as nobody has seen the path
        self._home: object = None  # the objects that tree refers to
        self.name = name or os.path.basename(os.path.abspath(self._path))
        """The name that travels with the content."""

    @classmethod
    def from_tree(cls, tree: Any, name: str, home: object, make: Callable[[], str]) -> Self:
        """What was read from a store; `make` makes its local copy when the path is first asked for."""
        made = cls.__new__(cls)
        made._path, made._make, made._tree, made._home, made.name = None, make, tree, home, name
        return made

    def tree_in(self, home: object) -> Any:
        """The tree it was read from, if nobody has seen the copy since and its objects are in `home`; else None."""
        return self._tree if self._home is home else None

    @property
    def path(self) -> str:
        """The local path; what came out of a store is copied into a scratch folder when this is first asked for.

        Raises:
            StoreError: the store doesn't have the content any more, or it is corrupt.
        """
        if self._path is None:
            assert self._make is not None
            self._path = self._make()
            self._make = self._tree = self._home = None  # from here on the copy may be written to
        return self._path

    def __fspath__(self) -> str:
        return self.path

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """A copy of the content too: tasks are handed values, and one must not write into another's file."""
        if self._path is None:
            assert self._make is not None
            return self.from_tree(self._tree, self.name, self._home, self._make)
        if not os.path.exists(self._path):
            return type(self)(self._path, self.name)
        import shutil

        copied = os.path.join(new_folder(), os.path.basename(os.path.abspath(self._path)))
        (shutil.copytree if os.path.isdir(self._path) else shutil.copyfile)(self._path, copied)
        return type(self)(copied, self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.path, self.name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name if self._path is None else self._path!r})"


class File(_Stored):
    """One file.

    Args:
        path: where it lies; it is read when the file is handed over.
        name: the name that travels with it; the path's last part if not given.
    """

    __slots__ = ()

    @classmethod
    def write(cls, data: bytes | str, name: str) -> File:
        """Makes a new file in a scratch folder.

        Args:
            data: its content; a str is written in UTF-8.
            name: its name (`report.html`).

        Raises:
            ValueRefused: V305, the name can't be a file's.
            OSError: the scratch folder can't be written.
        """
        path = os.path.join(new_folder(), check_name(name))
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return cls(path)

    def open(self, mode: str = "r", encoding: str | None = None, newline: str | None = None) -> IO[Any]:
        """Opens it as the built-in `open` does; text is UTF-8 unless told otherwise."""
        return open(self.path, mode, encoding=encoding if encoding or "b" in mode else "utf-8", newline=newline)

    def read_bytes(self) -> bytes:
        """Its content."""
        with open(self.path, "rb") as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        """Its content as text, line ends as they are."""
        return self.read_bytes().decode(encoding)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, File):
            return NotImplemented
        return self.name == other.name and self.read_bytes() == other.read_bytes()

    __hash__ = None  # type: ignore[assignment]  # equal by content, which may change


class Directory(_Stored):
    """A folder with all that is in it; symbolic links are refused.

    Args:
        path: where it lies; it is read when the directory is handed over.
        name: the name that travels with it; the path's last part if not given.
    """

    __slots__ = ()

    @classmethod
    def create(cls, name: str = "directory") -> Directory:
        """Makes a new, empty folder in a scratch folder, to be filled by the task.

        Raises:
            ValueRefused: V305, the name can't be a folder's.
            OSError: the scratch folder can't be written.
        """
        path = os.path.join(new_folder(), check_name(name))
        os.mkdir(path)
        return cls(path)

    def files(self) -> list[str]:
        """The relative names of all files in it, `/` between the parts, sorted."""
        found = []
        for folder, _, names in os.walk(self.path):
            inner = os.path.relpath(folder, self.path)
            found += [name if inner == "." else f"{inner}/{name}".replace(os.sep, "/") for name in names]
        return sorted(found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Directory):
            return NotImplemented
        names = self.files()
        if self.name != other.name or names != other.files():
            return False
        return all(File(f"{self.path}/{n}").read_bytes() == File(f"{other.path}/{n}").read_bytes() for n in names)

    __hash__ = None  # type: ignore[assignment]  # equal by content, which may change
