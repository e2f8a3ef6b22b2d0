"""`External`, `Secret` and `Failure`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import ValueRefused
from drawloom.ir.envelope import decode, encode
from drawloom.values import secret as secret_module
from drawloom.values.external import External
from drawloom.values.failure import Failure
from drawloom.values.secret import Secret, redact
from drawloom.values.store import Values


def test_an_external_is_observed_and_never_copied(values: Values, tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a,b")
    external = External(path)
    tree = values.encode(external)
    again = values.decode(tree)
    assert again == external
    assert again.version.startswith("size=3;mtime_ns=")
    assert again.uri == str(path)
    with again.open() as file:
        assert file.read() == b"a,b"
    with again.open("r") as file:
        assert file.read() == "a,b"
    assert list(values.objects.storage.keys("objects/")) == []


def test_a_changed_external_is_another_version(values: Values, tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a")
    first = values.ref(values.encode(External(path)))
    assert values.ref(values.encode(External(path))).digest == first.digest
    path.write_text("ab")
    passed_on = values.decode(values.tree(first))
    assert values.ref(values.encode(passed_on)).digest != first.digest


def test_a_file_uri_is_a_local_file(values: Values, tmp_path: Path) -> None:
    path = tmp_path / "a b.csv"
    path.write_text("x")
    external = values.decode(values.encode(External(path.as_uri())))
    with external.open() as file:
        assert file.read() == b"x"


def test_an_external_of_another_file_system_has_its_version(values: Values) -> None:
    system: Any = fsspec.filesystem("memory")
    system.pipe("/external/a.bin", b"123")
    external = External("memory://external/a.bin")
    tree = values.encode(external)
    assert tree["version"].startswith("size=3;created=")
    with values.decode(tree).open() as file:
        assert file.read() == b"123"


def test_an_external_that_is_not_there_is_refused(values: Values, tmp_path: Path) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.encode(External(tmp_path / "none"))
    assert str(caught.value) == (
        f"error[V309] the external {tmp_path}/none can't be observed: No such file or directory\n"
        "  fix    check that it exists and that this user may read it; an External needs a version, so it must be there"
    )
    for uri in ("memory://none", "nosuch://x/y"):
        with pytest.raises(ValueRefused, match="V309"):
            values.encode(External(uri))


@pytest.fixture
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_module, "_revealed", set())
    monkeypatch.setattr(secret_module, "_pattern", None)


@pytest.mark.usefixtures("no_secrets")
@pytest.mark.parametrize("variable", ["DRAWLOOM_SECRET_DB_PASSWORD", "DB_PASSWORD"])
def test_a_secret_is_read_where_it_is_needed(values: Values, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "hunter2'\n")
    secret = Secret("db-password")
    tree = values.encode({"s": secret})
    again = values.decode(tree)["s"]
    assert again == secret
    assert again.reveal() == "hunter2'\n"
    for text in (str(tree), repr(again), str(again), f"{again}", str(values.encode(again))):
        assert "hunter2" not in text
    assert hash(again) == hash(secret)


@pytest.mark.usefixtures("no_secrets")
def test_a_revealed_secret_is_taken_out_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWLOOM_SECRET_A", "abc")
    monkeypatch.setenv("DRAWLOOM_SECRET_B", 'abc"def\nline two of it')
    assert redact("abc") == "abc"
    Secret("A").reveal()
    Secret("B").reveal()
    assert redact("x abc y") == "x [secret] y"
    assert redact('x abc"def\nline two of it y') == "x [secret] y"
    assert redact(repr('abc"def\nline two of it')) == "'[secret]'"
    assert redact("got: line two of it") == "got: [secret]"
    assert redact("nothing") == "nothing"


@pytest.mark.usefixtures("no_secrets")
@given(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=12), st.text()
)
@settings(max_examples=50, deadline=None)
def test_no_text_holds_a_revealed_secret_after_redaction(secret: str, around: str) -> None:
    os.environ["DRAWLOOM_SECRET_HYPOTHESIS"] = secret
    try:
        Secret("hypothesis").reveal()
    finally:
        del os.environ["DRAWLOOM_SECRET_HYPOTHESIS"]
    marked = secret_module.REDACTED
    cleaned = redact(f"{around}{secret}{around}").replace(marked, "")
    assert secret not in cleaned or secret in marked


@pytest.mark.usefixtures("no_secrets")
def test_a_secret_that_is_not_set_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRAWLOOM_SECRET_API_KEY", raising=False)
    with pytest.raises(ValueRefused) as caught:
        Secret("api.key").reveal()
    assert str(caught.value) == (
        "error[V310] the secret 'api.key' is not set here\n"
        "  fix    set the environment variable DRAWLOOM_SECRET_API_KEY where the task runs"
    )


@pytest.mark.parametrize("name", ["", "a b", "p@ss=word", "x" * 200, "é", None])
def test_what_is_not_a_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueRefused, match="V310"):
        Secret(name)


def test_an_empty_secret_redacts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWLOOM_SECRET_EMPTY", "")
    before = redact("text")
    assert Secret("empty").reveal() == ""
    assert redact("text") == before


def test_a_failure_is_a_plain_record() -> None:
    failure = Failure("builtins:ValueError", "no {{", "load")
    assert decode(encode(failure)) == failure
    assert Failure("t", "m").node == ""


def test_a_step_loads_the_value_types_without_libraries() -> None:
    code = (
        "import sys\n"
        "import drawloom.values.store, drawloom.values.files, drawloom.values.external, drawloom.values.conform\n"
        "import drawloom.values.secret, drawloom.values.failure, drawloom.values.figure, drawloom.values.codec\n"
        "print(*sorted(set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {
        "numpy",
        "pandas",
        "pyarrow",
        "pydantic",
        "sklearn",
        "fsspec",
        "matplotlib",
        "tempfile",
        "typing_extensions",
    }
