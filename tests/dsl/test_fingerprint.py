"""Function digests: blind to formatting, sharp for code, following what is the user's, equal in every Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drawloom import DefinitionError
from drawloom.dsl.fingerprint import Fingerprint, fingerprint
from drawloom.dsl.tracing import trace

Load = Callable[..., ModuleType]
ROOT = Path(__file__).parents[2]


def of(user_module: Load, text: str, name: str = "work", module: str = "") -> Fingerprint:
    found = getattr(user_module(text, module), name)
    return fingerprint(getattr(found, "function", found))


BASE = """
from drawloom import task
LIMIT = 3
def helper(x):
    return x + LIMIT
@task
def work(a: int, b: int = 1) -> int:
    return helper(a) * b
"""


@pytest.mark.parametrize(
    "same",
    [
        BASE.replace("import task", "import task  # a comment"),
        BASE.replace("    return helper", '    """A docstring."""\n\n    # and a comment\n    return helper'),
        BASE.replace("helper(a) * b", "(\n        helper( a )\n        * b\n    )"),
        BASE.replace("@task", "@task(cache=True)"),
        BASE.replace("from drawloom import task", "import drawloom as dl").replace("@task", "@dl.task()"),
        BASE.replace("LIMIT = 3", "LIMIT = 1 + 2\nOTHER = 4"),
        BASE + "\ndef unrelated():\n    return 1\n",
        BASE.replace("    return helper(a) * b", "    pass\n    return helper(a) * b"),
    ],
    ids=["comment", "docstring", "format", "options", "spelling", "constant", "unrelated", "pass"],
)
def test_what_does_not_change_the_meaning_does_not_change_the_digest(user_module: Load, same: str) -> None:
    assert of(user_module, same) == of(user_module, BASE)
    assert of(user_module, BASE).scope == "function"


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("* b", "+ b"),
        BASE.replace("b: int = 1", "b: int = 2"),
        BASE.replace("x + LIMIT", "x - LIMIT"),
        BASE.replace("LIMIT = 3", "LIMIT = 4"),
        BASE.replace("LIMIT = 3", "LIMIT = 3.0"),
        BASE.replace("LIMIT = 3", "LIMIT = True"),
        BASE.replace("@task", "import functools\n@task\n@traced\n@functools.lru_cache(2)")
        .replace("def helper", "def traced(f):\n    return functools.wraps(f)(lambda *a: f(*a))\ndef helper"),
    ],
    ids=["body", "default", "helper", "constant", "float", "bool", "decorator"],
)  # fmt: skip
def test_what_changes_the_meaning_changes_the_digest(user_module: Load, other: str) -> None:
    assert of(user_module, other).digest != of(user_module, BASE).digest


def test_moving_code_to_another_module_keeps_the_digest(user_module: Load) -> None:
    assert of(user_module, BASE, module="one_place") == of(user_module, BASE, module="another_place")


def test_user_modules_are_followed_attribute_by_attribute(user_module: Load) -> None:
    user_module("def clean(x): return x\ndef other(x): return 1\n", "followed_helpers")
    text = "import followed_helpers as h\ndef work(x): return h.clean(x)\n"
    before = of(user_module, text)
    user_module("def clean(x): return x\ndef other(x): return 2\n", "followed_helpers")
    assert of(user_module, text) == before
    user_module("def clean(x): return -x\ndef other(x): return 2\n", "followed_helpers")
    assert of(user_module, text).digest != before.digest
    assert before.scope == "function"


def test_classes_closures_partials_and_methods_are_followed(user_module: Load) -> None:
    text = """
import functools, re
PATTERN = re.compile("a+", re.I)
class Base:
    def scale(self): return 2
class Model(Base):
    rate: float = 0.5
    def fit(self, x): return inner(x) * self.scale()
def inner(x): return x
add = functools.partial(inner, 3)
def outer():
    k = 3
    def made(x):
        return Model().fit(x) + k + add() + len(PATTERN.findall("aA"))
    return made
work = outer()
"""
    before = of(user_module, text, module="followed")
    assert before.scope == "function"
    for old, new in (
        ("return 2", "return 3"),
        ("rate: float = 0.5", "rate: float = 0.25"),
        ("def inner(x): return x", "def inner(x): return -x"),
        ("k = 3", "k = 4"),
        ("partial(inner, 3)", "partial(inner, 4)"),
        ('"a+"', '"a*"'),
    ):
        assert of(user_module, text.replace(old, new), module="followed").digest != before.digest, old


def test_functions_that_call_each_other_have_digests(user_module: Load) -> None:
    text = """
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
work = even
"""
    assert of(user_module, text).scope == "function"
    assert of(user_module, text.replace("n != 0", "n > 0")).digest != of(user_module, text).digest


def test_a_library_is_named_and_not_followed(user_module: Load) -> None:
    text = "import json, pathlib\nfrom math import floor\ndef work(x): return json.dumps(floor(x)), pathlib.Path(x)\n"
    assert of(user_module, text).scope == "function"
    other = text.replace("from math import floor", "from math import ceil as floor")
    assert of(user_module, other).digest != of(user_module, text).digest


def test_text_in_odd_places_does_not_end_a_function(user_module: Load) -> None:
    text = '''
def work(x):
    text = """
at the margin
def nothing(): ...
"""
    if x:
# a comment at the margin
        return text
    return (
x
    )
other = 1
'''
    before = of(user_module, text)
    assert of(user_module, text.replace("other = 1", "other = 2")) == before
    assert of(user_module, text.replace("return (\nx", "return (\n-x")).digest != before.digest
    assert of(user_module, text.replace("at the margin", "at the border")).digest != before.digest


def test_a_name_that_is_not_there_yet_widens_to_the_module(user_module: Load) -> None:
    text = "def work(x): return not_there(x)\n"
    found = of(user_module, text)
    assert found.scope == "module"
    assert of(user_module, text + "# a comment\n") == found
    assert of(user_module, text + "Z = 1\n").digest != found.digest


def test_a_lock_or_a_logger_has_no_meaning(user_module: Load) -> None:
    text = "import threading, logging\nLOCK = threading.Lock()\nLOG = logging.getLogger('a')\n"
    assert of(user_module, text + "def work(x):\n    LOG.info(x)\n    with LOCK: return x\n").scope == "function"


def test_an_instance_of_a_librarys_class_widens_to_all_files(user_module: Load) -> None:
    text = "import collections\nQUEUE = collections.deque()\ndef work(x): return QUEUE\n"
    assert of(user_module, text, module="queueing").scope == "bundle"


@pytest.mark.parametrize(
    ("holder", "read"),
    [
        ("TABLE = {'a': deep}", "TABLE['a'](x)"),
        ("TABLE = [deep, 2]", "TABLE[0](x)"),
        ("TABLE = (None, {'b': [deep]})", "TABLE[1]['b'][0](x)"),
        ("class Tool:\n    def __init__(self): self.step = deep\nTABLE = Tool()", "TABLE.step(x)"),
        ("class Tool:\n    __slots__ = ('step',)\nTABLE = Tool()\nTABLE.step = deep", "TABLE.step(x)"),
    ],
)
def test_a_helper_is_followed_through_what_holds_it_in_another_module(
    user_module: Load, holder: str, read: str
) -> None:
    library = f"def deep(n): return n + 1\n{holder}\n"
    text = f"from deep_library import TABLE\ndef work(x): return {read}\n"
    user_module(library, "deep_library")
    before = of(user_module, text)
    assert before.scope == "function"
    user_module(library.replace("n + 1", "n + 1  # the next"), "deep_library")
    assert of(user_module, text) == before
    user_module(library.replace("n + 1", "n + 2"), "deep_library")
    assert of(user_module, text).digest != before.digest


@pytest.mark.parametrize(
    "made",
    [
        "def made(x, k=n): return x * k",
        "def made(x, *, k=(n, [n])): return x * k[0]",
        "made = lambda x, k=n: x * k",
        "class made(int):\n        k = n",
        "class made(int):\n        def times(self): return self * n",
    ],
)
def test_what_was_bound_when_a_helper_was_made_counts(user_module: Load, made: str) -> None:
    library = f"from bound_config import N\ndef make(n):\n    {made}\n    return made\nHELPER = make(N)\n"
    text = "from bound_library import HELPER\ndef work(x): return HELPER(x)\n"
    digests = []
    for n in (2, 3, 2):
        user_module(f"N = {n}\n", "bound_config")
        user_module(library, "bound_library")
        digests.append(of(user_module, text, module="bound_user").digest)
    assert digests[0] == digests[2] != digests[1]


def test_things_that_hold_each_other_have_digests(user_module: Load) -> None:
    assert of(user_module, "LOOP = [print]\nLOOP.append(LOOP)\ndef work(x): return LOOP\n").scope == "function"


def test_names_made_up_at_run_time_widen_to_all_files(user_module: Load, tmp_path: Path) -> None:
    text = "import importlib\ndef work(x): return importlib.import_module(x)\n"
    found = of(user_module, text, module="dynamic")
    assert found.scope == "bundle"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "more.py").write_text("A = 1\n")
    changed = of(user_module, text, module="dynamic")
    assert changed.digest != found.digest
    (tmp_path / "package" / "more.py").write_text("A = 1  # a comment\n")
    assert of(user_module, text, module="dynamic") == changed


def test_an_import_of_a_user_module_inside_a_function_widens(
    user_module: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_later.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert of(user_module, "def work(x):\n    import imported_later\n    return imported_later.A\n").scope == "bundle"
    assert of(user_module, "def work(x):\n    import pandas, json\n    return pandas, json\n").scope == "function"


def test_code_without_source_has_a_digest_of_its_bytecode() -> None:
    names: dict[str, object] = {"__name__": "nowhere"}
    exec("def work(x): return x + 1", names)
    other: dict[str, object] = {"__name__": "nowhere"}
    exec("def work(x): return x + 2", other)
    assert fingerprint(names["work"]).scope == "bundle"
    assert fingerprint(names["work"]) != fingerprint(other["work"])


@pytest.mark.parametrize(
    ("state", "shown"),
    [("[]", "is a list"), ("object()", "is a object"), ("later", "has no value yet")],
)
def test_a_task_that_closes_over_run_time_state_is_refused(user_module: Load, state: str, shown: str) -> None:
    module = user_module(f"""
from drawloom import pipeline, task
def make():
    seen = {state if state != "later" else "0"}
    {"del seen" if state == "later" else ""}
    @task
    def work(n: int) -> int:
        return seen
    return work
work = make()
@pipeline
def p(n: int) -> int:
    return work(n)
""")
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    assert str(caught.value) == (
        f"error[D105] task `work` closes over `seen`, which {shown} of the function around it\n"
        f"  where  {module.__file__}:6, make.<locals>.work\n"
        "  fix    pass `seen` to the task as a parameter"
    )


# equal in every Python: `pinned.py` is read by each interpreter, with the standard library alone

PINNED = '''
"""A module whose digests are pinned."""
import dataclasses, enum, json, pathlib
from collections.abc import Iterator
from typing import NamedTuple, Optional

RATES = {"a": 0.1, "b": [1, 2.5e-7, None, True], "c": (1, b"x", frozenset({1, 2}))}

class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass(frozen=True)
class Config:
    depth: int = 3
    name: Optional[str] = None
    other: "Config | None" = None

    @property
    def twice(self) -> int:
        return self.depth * 2

DEFAULT = Config(4)

def helper(*args, key=None, **options):
    """Docs."""
    return sorted(args, key=lambda pair: (pair[0], -pair[1]))

def work(table: list[int], config: Config = DEFAULT, *, scale: float = 1e-3) -> dict:
    text = f"{table!r:>{config.depth}} {scale=:.3f} {{}} {'x'}" "tail" f"{config.twice}"
    squares = [x ** 2 for x in table if x % 2 if x > 0]
    match config:
        case Config(depth=1 | 2, name=None):
            return {}
        case {"a": [first, *rest], **others}:
            return {first: rest}
        case _:
            pass
    try:
        with pathlib.Path(text).open() as file, open(text) as other:
            total = sum(len(line) for line in file)
    except (OSError, ValueError) as error:
        raise RuntimeError(str(error)) from error
    else:
        total = 0
    finally:
        json.dumps(RATES)
    while (total := total + 1) < 10:
        if total == 5: continue
    a, *b = helper(1, *squares, key=Colour.RED, **RATES)
    async def inner() -> Iterator[int]:
        async for i in b:
            yield i
    return {**RATES, "x": a[1:2, ...], "s": {1, 2}, "c": not a or -1j, 'l': lambda q, /, r=1, *, s: q @ r}
'''
ASK = (
    "import json, sys; sys.path[:0] = [{root!r}, {folder!r}]; import pinned; "
    "from drawloom.dsl.fingerprint import fingerprint; from drawloom.dsl.code_form import module_digest; "
    "found = fingerprint(pinned.work); "
    "print(json.dumps([found.digest, found.scope, module_digest(open(pinned.__file__).read())]))"
)


def digests(python: list[str], folder: Path, env: dict[str, str] | None = None) -> list[str]:
    (folder / "pinned.py").write_text(PINNED, encoding="utf-8")
    code = ASK.format(root=str(ROOT), folder=str(folder))
    done = subprocess.run([*python, "-S", "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_digests_are_pinned_and_need_the_standard_library_alone(tmp_path: Path) -> None:
    digest, scope, module = digests([sys.executable, "-I"], tmp_path)
    assert scope == "function"
    assert [digest, module] == PINNED_DIGESTS


PINNED_DIGESTS = [
    "d544f1afe4aebd288cc7e2f93bd1f2df568c2edfb1dc7c117cbdf7da11a7903c",
    "f8d783e39e573dc76e1596fa35f1f42b5dc8774403349f91b22e4468d56996c5",
]


@pytest.mark.parametrize(("version", "full"), [("3.11", "3.11.7"), ("3.12", "3.12.1"), ("3.13", "3.13.0")])
def test_every_python_gives_the_same_digests(version: str, full: str, tmp_path: Path) -> None:
    python = shutil.which(f"python{version}")
    env = os.environ | {"PYENV_VERSION": full}
    if python is None or subprocess.run([python, "-c", ""], env=env, capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} here")
    digest, scope, module = digests([python], tmp_path, env)
    assert scope == "function"
    assert [digest, module] == PINNED_DIGESTS
