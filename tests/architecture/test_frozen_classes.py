"""`drawloom.frozen` makes dataclasses that are the standard library's to everybody who asks."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from drawloom.frozen import MISSING, dataclass, field_defaults


@dataclass(frozen=True, slots=True)
class Ours:
    """A point."""

    x: int
    y: int = 2
    label: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """A point."""

    x: int
    y: int = 2
    label: str = ""


@pytest.mark.parametrize("cls", [Ours, Standard])
def test_what_a_frozen_dataclass_does(cls):
    one = cls(1, label="a")
    assert (one.x, one.y, one.label) == (1, 2, "a")
    assert one == cls(x=1, label="a")
    assert one != cls(2)
    assert one.__eq__(3) is NotImplemented
    assert hash(one) == hash(cls(1, 2, "a"))
    assert repr(one) == f"{cls.__name__}(x=1, y=2, label='a')"
    assert dataclasses.replace(one, y=5) == cls(1, 5, "a")
    assert dataclasses.astuple(one) == (1, 2, "a")
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    assert not hasattr(one, "__dict__")
    assert [(f.name, f.type) for f in dataclasses.fields(cls)] == [("x", "int"), ("y", "int"), ("label", "str")]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 3
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        cls()
    match one:
        case cls(x, y, _):
            assert (x, y) == (1, 2)


def test_the_signature_is_that_of_the_fields_before_and_after_the_first_value() -> None:
    @dataclass(frozen=True, slots=True)
    class Late:
        x: int
        y: int = 2

    shown = "(x, y=2)"
    assert str(inspect.signature(Late)) == shown
    assert Late(1) == Late(x=1, y=2)
    assert str(inspect.signature(Late)) == shown


def test_two_threads_that_make_the_first_value_at_once_both_get_theirs() -> None:
    @dataclass(frozen=True, slots=True)
    class Late:
        x: int

    with ThreadPoolExecutor(8) as pool:
        assert [late.x for late in pool.map(Late, range(64))] == list(range(64))


def test_defaults_are_told_without_the_standard_module():
    assert field_defaults(Ours) == (("x", MISSING), ("y", 2), ("label", ""))


def test_what_it_cannot_do_is_refused():
    with pytest.raises(TypeError, match="needs the standard dataclass"):

        @dataclass(frozen=True, slots=True)
        class WithField:
            x: list[int] = dataclasses.field(default_factory=list)

    with pytest.raises(TypeError, match="only frozen, slotted"):
        dataclass(frozen=False, slots=True)


def test_the_records_and_the_ir_of_a_step_load_neither_dataclasses_nor_inspect():
    code = "import sys, drawloom.runtimes.step, drawloom.runtimes.call; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {_root()!r}); {code}"], **_TEXT
    )
    assert loaded.returncode == 0, loaded.stderr
    assert not set(loaded.stdout.split()) & {
        "dataclasses",
        "inspect",
        "ast",
        "argparse",
        "logging",
        "pathlib",
        "tempfile",
    }


_TEXT = {"capture_output": True, "text": True, "check": False}


def _root() -> str:
    import drawloom

    return drawloom.__path__[0].removesuffix("/drawloom")
