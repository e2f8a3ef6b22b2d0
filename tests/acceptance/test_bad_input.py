"""What bad input gets, from the command line: the whole error, the exit code, and a store that lost nothing.

Every case runs the command in a process of its own, in a folder with one good run in its catalog. It must print exactly
the given text, without a traceback or an address, and afterwards the store is whole, the good run loads, and the same
command works as soon as the cause is gone.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drawloom import Catalog

ROOT = Path(__file__).parents[2]
GOOD = """
from drawloom import pipeline, task


@task
def double(n: int) -> int:
    return 2 * n


@task
def blob(n: int) -> bytes:
    return bytes([n]) * 20_000


@task
def length(data: bytes) -> int:
    return len(data)


@pipeline
def good(n: int = 21) -> int:
    return double(n)


@pipeline
def kept(n: int = 7) -> bytes:
    data = blob(n)
    return data


@pipeline
def measured(n: int = 7) -> int:
    data = blob(n)
    size = length(data)
    return size
"""
_CAPBSET_DROP, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2


def obey_permissions() -> None:
    """In a child of root's on Linux: file permissions count for it as for anybody."""
    if sys.platform == "linux" and os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)


class Shop:
    """A folder with `good.py`, its catalog, and the command line."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.catalog = folder / ".drawloom"
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("DRAWLOOM_")}
        self._environment |= {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def __call__(self, *args: str, python: str = "") -> tuple[int, str, str]:
        line = [sys.executable, *(["-c", python] if python else ["-m", "drawloom", *args])]
        done = subprocess.run(
            line,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            preexec_fn=obey_permissions,  # it calls prctl and nothing else
        )
        return done.returncode, done.stdout, done.stderr

    def ok(self, *args: str) -> str:
        code, out, err = self(*args)
        assert code == 0, out + err
        return out

    def refused(self, code: int, text: str, *args: str) -> None:
        """The command ends with `code`, prints nothing on stdout and exactly `text` on stderr."""
        assert self(*args) == (code, "", textwrap.dedent(text))

    def failed(self, text: str, *args: str) -> None:
        """The run was made and failed: exit code 1, and `text` between the summary's first line and its last."""
        code, out, err = self("run", *args, "-q")
        assert (code, err) == (1, "")
        first, *told, logs, debug, resume, last = out.splitlines()
        assert " failed in " in first
        assert last.startswith("run     ")
        assert [line[10:].split()[:2] for line in (logs, debug, resume)] == [
            ["drawloom", verb] for verb in ("logs", "debug", "resume")
        ]
        assert "\n".join(told) + "\n" == textwrap.dedent(text)

    def lost_nothing(self, *, runs: int = 1, catalog: Path | None = None) -> None:
        """The store is whole, and the good run still gives its result."""
        opened = Catalog.open(str(catalog or self.catalog))
        assert opened.verify() == []
        assert opened.load("good/double") == 42
        found = opened.runs()
        assert len(found) == runs
        assert (found[-1].pipeline, found[-1].state, found[-1].result) == ("good", "succeeded", 42)


@pytest.fixture(scope="session")
def opened_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opened") / "shop"
    folder.mkdir()
    shop = Shop(folder, folder.parent / "cache")
    shop.write("good.py", GOOD)
    shop.ok("run", "good.py:good", "-q")
    return folder


@pytest.fixture
def shop(opened_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(opened_shop, tmp_path / "shop")
    return Shop(tmp_path / "shop", tmp_path / "cache")


def line_of(path: Path, text: str) -> int:
    return next(k for k, line in enumerate(path.read_text().splitlines(), 1) if text in line)


HEAD = """
import threading
from drawloom import pipeline, task

@task
def number() -> int:
    return 1

@task
def double(n: int) -> int:
    return 2 * n

@task
def text(n: int) -> str:
    return str(n)
"""

# (the pipeline, the error with {file} and {line} of the line that ends in `# here`, the pipeline mended as it says)
GRAPHS: dict[str, tuple[str, str, str]] = {
    "wrong type on an edge": (
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double(text(n))  # here\n",
        """\
        error[G203] input `n` of `double` needs int, got str
          where  {file}:{line}, p
          graph  text   = bad:text(n=$n) -> str
                 double = bad:double(n=text) -> int    <- here
          fix    make `text` return int, or put a @task that converts between the two
        """,
        (
            "@task\ndef number_in(t: str) -> int:\n    return int(t)\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return double(number_in(text(n)))\n"
        ),
    ),
    "argument missing": (
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double()  # here\n",
        """\
        error[D112] `double` is not given `n`
          where  {file}:{line}, p
          fix    it takes `n`
        """,
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double(n)\n",
    ),
    "argument unknown": (
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double(n, by=3)  # here\n",
        """\
        error[D112] `double` has no parameter `by`
          where  {file}:{line}, p
          fix    it takes `n`
        """,
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double(n)\n",
    ),
    "cycle of order": (
        (
            "@pipeline\ndef p(n: int = 1) -> int:\n    one = double(n)\n    two = double(one)\n"
            "    one.after(two)  # here\n    return two\n"
        ),
        """\
        error[D122] `one` can't come after `two`, which is called later
          where  {file}:{line}, p
          fix    call `two` first
        """,
        (
            "@pipeline\ndef p(n: int = 1) -> int:\n    two = double(n)\n    one = double(n)\n"
            "    one.after(two)\n    return two\n"
        ),
    ),
    "cycle of pipelines": (
        "@pipeline\ndef p(n: int = 1) -> int:\n    return p(double(n))  # here\n",
        """\
        error[D121] `p` is called inside itself without end; a graph must be finite
          where  {file}:{line}, p
          fix    use `while_loop`, or stop the recursion by a `Static` parameter
        """,
        (
            "from drawloom import Static\n\n@pipeline\ndef p(n: int = 1, depth: Static[int] = 3) -> int:\n"
            "    return p(double(n), depth - 1) if depth else n\n"
        ),
    ),
    "ids that differ in case only": (
        (
            "@pipeline\ndef p(n: int = 1) -> int:\n    Total = double(n)\n    total = double(Total)  # here\n"
            "    return total\n"
        ),
        """\
        error[G212] the ids `Total` and `total` are the same when case is ignored
          where  {file}:{line}, p
          graph  Total = bad:double(n=$n) -> int
                 total = bad:double(n=Total) -> int    <- here
          fix    rename one of them: file systems and engines may not tell them apart
        """,
        "@pipeline\ndef p(n: int = 1) -> int:\n    first = double(n)\n    total = double(first)\n    return total\n",
    ),
    "two tasks of one name": (
        (
            "first = double\n\n@task  # here\ndef double(n: int) -> int:\n    return 3 * n\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return double(first(n))\n"
        ),
        """\
        error[D120] two tasks are named `bad:double`, both called in this pipeline
          where  {file}:{line}, double
          fix    give one of them another name
        """,
        (
            "@task\ndef triple(n: int) -> int:\n    return 3 * n\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return triple(double(n))\n"
        ),
    ),
    "constant that can't be kept": (
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double(threading.Lock())  # here\n",
        """\
        error[D113] input `n` of `double` can't be kept as a constant: value is a _thread.lock
          where  {file}:{line}, p
          fix    make it a parameter of the pipeline, or load it in a @task
        """,
        "@pipeline\ndef p(n: int = 1) -> int:\n    return double(number())\n",
    ),
    "lambda": (
        "twice = task(lambda n: 2 * n)  # here\n\n@pipeline\ndef p(n: int = 1) -> int:\n    return twice(n)\n",
        """\
        error[D101] a lambda can't be a task: it has no name to be found by
          where  {file}:{line}, <lambda>
          fix    write a `def` with a name
        """,
        (
            "@task\ndef twice(n: int) -> int:\n    return 2 * n\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return twice(n)\n"
        ),
    ),
    "closure over a run-time value": (
        (
            "@pipeline\ndef p(n: int = 1) -> int:\n    found = number()\n\n    @task  # here\n"
            "    def add(n: int) -> int:\n        return n + found\n\n    return add(n)\n"
        ),
        """\
        error[D105] task `add` closes over `found`, which is a Handle of the function around it
          where  {file}:{line}, p.<locals>.add
          fix    pass `found` to the task as a parameter
        """,
        (
            "@task\ndef add(n: int, found: int) -> int:\n    return n + found\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return add(n, number())\n"
        ),
    ),
    "closure over a lock": (
        (
            "def guarded(lock):\n    @task  # here\n    def add(n: int) -> int:\n        with lock:\n"
            "            return n + 1\n\n    return add\n\nadd = guarded(threading.Lock())\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return add(n)\n"
        ),
        """\
        error[D105] task `add` closes over `lock`, which is a lock of the function around it
          where  {file}:{line}, guarded.<locals>.add
          fix    pass `lock` to the task as a parameter
        """,
        (
            "@task\ndef add(n: int) -> int:\n    with threading.Lock():\n        return n + 1\n\n"
            "@pipeline\ndef p(n: int = 1) -> int:\n    return add(n)\n"
        ),
    ),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_a_graph_that_is_wrong(shop: Shop, case: str) -> None:
    wrong, error, mended = GRAPHS[case]
    file = shop.write("bad.py", HEAD + wrong)
    text = textwrap.dedent(error).format(file=file, line=line_of(file, "# here"))
    shop.refused(2, text, "run", "bad.py:p")
    shop.lost_nothing()
    shop.write("bad.py", HEAD + mended)
    shop.ok("run", "bad.py:p", "-q")


def test_a_parameter_is_missing_or_unknown_or_of_another_type(shop: Shop) -> None:
    file = shop.write("bad.py", HEAD + "@pipeline  # here\ndef p(n: int) -> int:\n    return double(n)\n")
    place = f"{file}:{line_of(file, '# here')}, p"
    missing = f"""\
        error[R541] parameter `n` (int) is missing
          where  {place}
          fix    give it a value, or give it a default in the pipeline (on the command line: --n)
        """
    shop.refused(2, missing, "run", "bad.py:p")
    unknown = """\
        error[P640] there is no option `--depth`
          fix    see `drawloom run bad.py:p --help`
        """
    shop.refused(2, unknown, "run", "bad.py:p", "--n", "1", "--depth", "2")
    wrong = f"""\
        error[P620] `--n` needs int, got 'one'
          where  {place}
          fix    give a value of that type: int
        """
    shop.refused(2, wrong, "run", "bad.py:p", "--n", "one")
    shop.lost_nothing()
    shop.ok("run", "bad.py:p", "--n", "1", "-q")


def test_a_parameter_that_can_not_be_kept(shop: Shop) -> None:
    file = shop.write(
        "bad.py",
        "from drawloom import pipeline, task\n\n@task\ndef show(x: dict) -> str:\n    return str(x)\n\n"
        "@pipeline\ndef p(x: dict) -> str:\n    return show(x)\n",
    )
    start = "import threading, drawloom, bad\nfrom drawloom import DrawloomError\ntry:\n    drawloom.run(bad.p, "
    end = ")\nexcept DrawloomError as error:\n    print(error)\n"
    code, out, err = shop(python=f"{start}{{'x': {{'a': threading.Lock()}}}}{end}")
    assert (code, err) == (0, "")
    assert out == "error[V301] parameter `x`['a'] is a _thread.lock\n  fix    make it inside the task that uses it\n"
    _, out, _ = shop(python=f"{start}{{'x': threading.Lock()}}{end}")
    assert out == (
        "error[R543] parameter `x`: expected dict[Any, Any], got _thread.lock\n"
        f"  where  {file}:7, p\n"
        "  fix    give a value of the type dict[Any, Any], or change the annotation; nothing is converted in silence\n"
    )
    shop.lost_nothing()
    assert shop(python=f"{start}{{'x': {{'a': 1}}}}{end}") == (0, "", "")


@pytest.mark.parametrize("how", ["threads", "processes", "inline", "reference"])
def test_a_result_that_can_not_be_kept(shop: Shop, how: str) -> None:
    text = HEAD + (
        "@task\ndef locks(n: int) -> dict:\n    return {'all': [threading.Lock()]}\n\n"
        "@pipeline\ndef p(n: int = 1) -> dict:\n    first = double(n)\n    return locks(first)  # here\n"
    )
    file = shop.write("bad.py", text)
    told = f"""\
        failed  locks: ValueRefused: error[V301] what task `bad:locks` returned['all'][0] is a _thread.lock
          fix    make it inside the task that uses it
          where   {file}:{line_of(file, "# here")}, p
        """
    option = "--engine" if how == "reference" else "--executor"
    shop.failed(told, "bad.py:p", option, how)
    shop.lost_nothing(runs=2)
    shop.write("bad.py", text.replace("threading.Lock()", "1"))
    assert " succeeded in " in shop.ok("run", "bad.py:p", "-q", option, how)


def test_a_file_that_can_not_be_read(shop: Shop) -> None:
    file = shop.write(
        "bad.py",
        "from drawloom import File, pipeline, task\n\n@task\ndef size(f: File) -> int:\n"
        "    return len(open(f.path).read())\n\n@pipeline\ndef p(f: File) -> int:\n    return size(f)\n",
    )
    where = f"  where  {file}:7, p\n  fix    give a path that is there; a relative one counts from the working folder\n"
    text = f"error[P620] `--f` needs the path of a file, got 'data.csv', which isn't there\n{where}"
    shop.refused(2, text, "run", "bad.py:p", "--f", "data.csv")
    text = f"error[P620] `--f` needs the path of a file, got '.', a folder\n{where}"
    shop.refused(2, text, "run", "bad.py:p", "--f", ".")
    shop.write("data.csv", "1,2\n").chmod(0)
    text = """\
        error[V305] parameter `f`: the file data.csv can't be read: Permission denied
          where  data.csv
          fix    check the path; a task's result must exist until the task has returned, and be readable by this user
        """
    shop.refused(2, text, "run", "bad.py:p", "--f", "data.csv")
    shop.lost_nothing()
    (shop.folder / "data.csv").chmod(0o600)
    assert "result  4\n" in shop.ok("run", "bad.py:p", "--f", "data.csv", "-q")


def flip(shop: Shop) -> Path:
    """Changes one byte of the one object in the store; gives the object's path."""
    [path] = (p for p in (shop.catalog / "projects/default/objects").glob("*/*"))
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["threads", "processes", "reference"])
def test_a_corrupt_object(shop: Shop, how: str) -> None:
    shop.ok("run", "good.py:kept", "-q")
    path = flip(shop)
    sha = path.parent.name + path.name
    option = "--engine" if how == "reference" else "--executor"
    code, out, err = shop("catalog", "load", "kept/data", "-o", "out.bin")
    wrong, _, digest = err.partition("its bytes have the digest ")
    rest = (
        f"{digest[:12]}\n"
        f"  where  {path}\n"
        "  fix    run `drawloom catalog verify` to set it aside, then run again: the node that made it makes it anew\n"
    )
    assert (code, out, wrong, digest) == (3, "", f"error[S401] object {sha[:12]} is corrupt: ", rest)
    assert not (shop.folder / "out.bin").exists()

    aside = shop.catalog / "projects/default/quarantine" / path.parent.name / path.name
    text = f"""\
        error[S401] object {sha[:12]} is corrupt: its bytes don't have this digest; it was set aside
          where  {aside}
          fix    run the pipeline that made it again: it makes it anew
        1 problem in {shop.catalog}/projects/default
        """
    shop.refused(3, text, "catalog", "verify")
    assert aside.exists()
    assert "result  20000\n" in shop.ok("run", "good.py:measured", "-q", option, how)
    shop.ok("catalog", "load", "kept/data", "-o", "out.bin")
    assert (shop.folder / "out.bin").read_bytes() == b"\x07" * 20_000
    shop.lost_nothing(runs=3)


@pytest.mark.parametrize("how", ["threads", "processes", "reference"])
def test_a_corrupt_object_answers_nothing(shop: Shop, how: str) -> None:
    shop.ok("run", "good.py:kept", "-q")
    flip(shop)
    option = "--engine" if how == "reference" else "--executor"
    assert "result  20000\n" in shop.ok("run", "good.py:measured", "-q", option, how)
    shop.lost_nothing(runs=3)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if path.name != "spans.json"  # where the file is now: the shop is a copy
    }


@pytest.fixture
def read_only(shop: Shop) -> Iterator[Callable[[], None]]:
    modes = {path: path.stat().st_mode for path in (shop.catalog, *shop.catalog.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))

    def put_back() -> None:
        for path, mode in modes.items():
            path.chmod(mode)

    yield put_back
    put_back()


@pytest.mark.parametrize("how", ["threads", "reference"])
def test_a_read_only_store(shop: Shop, read_only: Callable[[], None], how: str) -> None:
    before = snapshot(shop.catalog)
    option = "--engine" if how == "reference" else "--executor"
    code, out, err = shop("run", "good.py:good", "-q", "--n", "5", option, how)
    what, where, fix = err.splitlines()
    assert (code, out) == (3, "")
    store = shop.catalog if how == "reference" else shop.catalog / "projects/default"
    assert what == f"error[S402] the store {store} is read-only here: Permission denied"
    assert where.startswith(f"  where  {shop.catalog}/projects/default/")
    assert (
        fix == "  fix    give this user the right to write there, or use another store; nothing half-written was left"
    )
    assert snapshot(shop.catalog) == before
    assert shop.ok("catalog", "load", "good/double") == "42\n"  # what only reads works
    shop.lost_nothing()
    read_only()
    assert "result  10\n" in shop.ok("run", "good.py:good", "-q", "--n", "5", option, how)
    assert snapshot(shop.catalog).items() >= {k: v for k, v in before.items() if v[1]}.items()


def test_a_disk_that_is_full(shop: Shop, small_disk: Path) -> None:
    where = ("--catalog", str(small_disk))
    shop.ok("run", "good.py:good", "-q", *where)
    text = GOOD.replace("20_000", "200_000")
    file = shop.write("large.py", text)
    code, out, err = shop("run", "large.py:measured", "-q", *where)
    first, what, place, fix, called, _logs, _debug, _resume, last = out.splitlines()
    assert code == 3  # the store's fault, not the pipeline's
    assert first.endswith(": 1 skipped, 1 failed")
    full = f"error[S403] the store {small_disk} is full: No space left on device"
    assert what == f"failed  data: StoreError: {full}"
    assert place.startswith(f"  where  {small_disk}/projects/default/objects/")
    assert fix == (
        "  fix    free space or raise the quota, then run again: what is committed is kept and answered from the cache"
    )
    assert err.splitlines() == [full, place, fix]
    number = next(k for k, line in enumerate(text.splitlines(), 1) if "size = length" in line) - 1
    assert called == f"  where   {file}:{number}, measured"
    assert last.startswith("run     ")
    assert not Path(place.removeprefix("  where  ")).exists()
    shop.lost_nothing(runs=2, catalog=small_disk)
    assert [run.state for run in Catalog.open(str(small_disk)).runs()] == ["failed", "succeeded"]
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert "result  200000\n" in shop.ok("run", "large.py:measured", "-q", *where)


@pytest.mark.parametrize("free_pages", [0, 1])
def test_a_disk_without_room_for_the_record_of_the_run(shop: Shop, small_disk: Path, free_pages: int) -> None:
    where = ("--catalog", str(small_disk))
    shop.ok("run", "good.py:good", "-q", *where)
    room = shutil.disk_usage(small_disk).free - 4096 * free_pages
    (small_disk / "filler").write_bytes(b"x" * room)
    code, out, err = shop("run", "good.py:good", "--n", "5", "-q", *where)
    what, place, fix = err.splitlines()
    assert (code, out) == (3, "")
    assert what.startswith(f"error[S403] the store {small_disk}")
    assert what.endswith(" is full: No space left on device")
    assert place.startswith(f"  where  {small_disk}/projects/default/runs/")
    assert fix == (
        "  fix    free space or raise the quota, then run again: what is committed is kept and answered from the cache"
    )
    (small_disk / "filler").unlink()
    catalog = Catalog.open(str(small_disk))
    assert catalog.load("good/double") == 42
    assert catalog.verify() == []
    assert "result  10\n" in shop.ok("run", "good.py:good", "--n", "5", "-q", *where)


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", "good.py:good", "-q"),
    ("run", "good.py:good", "-q", "--engine", "reference"),
    ("runs",),
    ("show", "x"),
    ("logs", "x", "double"),
    ("catalog", "ls"),
    ("catalog", "show", "good/double"),
    ("catalog", "load", "good/double"),
    ("catalog", "verify"),
    ("catalog", "rebuild"),
)


def test_a_store_of_a_newer_version(shop: Shop) -> None:
    mark = shop.catalog / "store.json"
    whole = mark.read_bytes()
    mark.chmod(0o600)
    mark.write_text('{"format": 99}')
    before = snapshot(shop.catalog)
    text = f"""\
        error[S405] the store {shop.catalog} has format 99; this drawloom reads up to format 0
          where  {mark}
          fix    upgrade drawloom (`pip install --upgrade drawloom`), or use another store; nothing was changed
        """
    for command in COMMANDS:
        shop.refused(3, text, *command)
    assert snapshot(shop.catalog) == before
    mark.write_bytes(whole)
    shop.lost_nothing()
