"""Where a target's Airflow finds its DAG files: a folder, the checkout of a git repository, an object store."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from drawloom.errors import Diagnostic, EngineError, Span

__all__ = ["DagsPlace"]


class DagsPlace:
    """The place that DAG files are put into.

    Args:
        place: a folder, or the URL of one.
        git: whether it lies in a checkout whose changes are committed and pushed.
        target: the target's name, for messages.
    """

    def __init__(self, place: str, target: str, *, git: bool = False) -> None:
        self.place = place.rstrip("/")
        self._target = target
        self._git = git

    @property
    def is_versioned(self) -> bool:
        """Whether Airflow can keep the file that a run was begun with: it can of a git repository."""
        return self._git

    def path(self, name: str) -> str:
        """Where a file lies."""
        return f"{self.place}/{name}"

    def check(self) -> None:
        """Refuses a place that can't be written.

        Raises:
            EngineError: E755.
        """
        if "://" in self.place:
            self._remotely(lambda files: str(files.ls(self.place)), wanted=True)
        elif not os.path.isdir(self.place) or not os.access(self.place, os.W_OK):
            told = "you may not write there" if os.path.isdir(self.place) else "there is no such folder"
            raise self._problem("used", "", OSError(told))

    def read(self, name: str) -> str | None:
        """The text of a file, None if there is none."""
        if "://" in self.place:
            return self._remotely(lambda files: files.cat_file(self.path(name)).decode("utf-8"))
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._problem("read", name, error) from error

    def write(self, name: str, text: str, why: str) -> None:
        """Puts a file there, in the place of the one there is, as a whole.

        Args:
            name: the file's name.
            text: what is in it.
            why: what is done, for a commit's message.

        Raises:
            EngineError: E755, it can't be written, committed or pushed.
        """
        if "://" in self.place:
            self._remotely(lambda files: files.pipe_file(self.path(name), text.encode("utf-8")), wanted=True)
            return
        part = f"{self.place}/.{name}.part"  # not `.py`: Airflow parses what ends so
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(part, self.path(name))
        except OSError as error:
            raise self._problem("written", name, error) from error
        if self._git:
            self._commit(name, why)

    def remove(self, name: str, why: str) -> None:
        """Takes a file away, if it is there."""
        if self.read(name) is None:
            return
        if "://" in self.place:
            self._remotely(lambda files: files.rm_file(self.path(name)), wanted=True)
            return
        try:
            os.remove(self.path(name))
        except OSError as error:
            raise self._problem("removed", name, error) from error
        if self._git:
            self._commit(name, why)

    def _commit(self, name: str, why: str) -> None:
        self._run_git("add", "--", name)
        if self._run_git("diff", "--cached", "--quiet", "--", name, may_differ=True):
            self._run_git("commit", "--quiet", "--message", why, "--", name)
        self._run_git("push", "--quiet")

    def _run_git(self, *command: str, may_differ: bool = False) -> int:
        done = subprocess.run(["git", "-C", self.place, *command], capture_output=True, text=True, check=False)
        if done.returncode and not (may_differ and done.returncode == 1):
            said = (done.stderr or done.stdout).strip()
            what = f"`git {command[0]}` fails in {self.place} (`dags` of target `{self._target}`): {said}"
            fix = "see that it is a checkout with a branch to push to, and that you may push"
            raise EngineError(Diagnostic("E755", what, None, fix))
        return done.returncode

    def _remotely(self, do: Callable[..., str], *, wanted: bool = False) -> str | None:
        import fsspec

        files, _ = fsspec.core.url_to_fs(self.place)
        try:
            return do(files)
        except FileNotFoundError as error:
            if wanted:
                raise self._problem("written", "", error) from error
            return None
        except Exception as error:  # whatever a file system's library raises
            raise self._problem("used", "", error) from error

    def _problem(self, how: str, name: str, error: BaseException) -> EngineError:
        told = getattr(error, "strerror", None) or str(error)
        what = f"{self.path(name)} can't be {how} (`dags` of target `{self._target}`): {told}"
        fix = "name the folder that Airflow reads DAG files from, as it is reached from here, and where you may write"
        return EngineError(Diagnostic("E755", what, Span(self.path(name), 0), fix))
