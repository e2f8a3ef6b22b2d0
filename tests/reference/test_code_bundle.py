"""What goes into a code bundle, and that the same files give the same bytes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import zipfile

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.compilers import bundle
from drawloom.compilers.bundle import code_bundle, project_files, project_root
from drawloom.errors import CompileError

SECRETS = (
    ".env",
    ".env.local",
    "prod.env",
    "server.pem",
    "tls.key",
    "id_rsa",
    "id_ed25519.pub",
    "credentials.json",
    ".netrc",
)
LITTER = ("__pycache__/a.pyc", ".venv/lib/x.py", ".git/config", ".drawloom/objects/00", "node_modules/x.js", "a.pyc")


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return str(folder)


def test_the_same_files_give_the_same_bytes_whenever_and_wherever_they_lie(tmp_path):
    one = fill(tmp_path / "one", "b.py", "a/c.py")
    other = fill(tmp_path / "other", "a/c.py", "b.py")
    os.utime(tmp_path / "other" / "b.py", (time.time() - 10_000,) * 2)
    assert code_bundle(one) == code_bundle(other)


def test_keys_environments_and_caches_stay_out(tmp_path):
    root = fill(tmp_path, *SECRETS, *LITTER, "flow.py", "data/small.csv", "sub/.env")
    assert list(project_files(root)) == ["data/small.csv", "flow.py"]


@pytest.mark.parametrize("git", [False, True])
def test_a_store_stays_out_whatever_it_is_called(tmp_path, git):
    root = fill(tmp_path, "flow.py", "shop/store.json", "shop/stock.csv")  # a file of that name makes no store
    for name in ("lake", "data/our lake 🎉"):
        Catalog.open(tmp_path / name).storage.create("runs/r1/run.json", b"{}")
    if git:
        subprocess.run(["git", "init", "-q", root], check=True)
    before = code_bundle(root)
    assert list(project_files(root)) == ["flow.py", "shop/stock.csv", "shop/store.json"]
    Catalog.open(tmp_path / "lake").storage.create("runs/r2/run.json", b"{}")
    assert code_bundle(root) == before


def test_what_git_ignores_stays_out(tmp_path):
    root = fill(tmp_path, "flow.py", "new.py", "large/data.bin", ".env")
    (tmp_path / ".gitignore").write_text("large/\n")
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run(["git", "-C", root, "add", "-f", "flow.py", ".env"], check=True)
    assert list(project_files(root)) == [".gitignore", "flow.py", "new.py"]


def test_links_that_lead_out_of_the_project_stay_out(tmp_path):
    fill(tmp_path / "outside", "password")
    root = fill(tmp_path / "project", "flow.py")
    (tmp_path / "project" / "link").symlink_to(tmp_path / "outside" / "password")
    assert list(project_files(root)) == ["flow.py"]


def test_drawloom_itself_is_in_it_as_python_alone(tmp_path):
    names = zipfile.ZipFile(io.BytesIO(code_bundle(fill(tmp_path, "flow.py")))).namelist()
    assert "drawloom/runtimes/step.py" in names
    assert names == sorted(names)
    assert {name.rpartition(".")[2] for name in names} == {"py", "typed"}


def test_the_projects_folder_is_told_by_its_modules():
    import step_samples

    assert project_root(["step_samples"]) == os.path.dirname(step_samples.__file__)


def test_a_module_that_is_no_file_has_no_project():
    with pytest.raises(CompileError) as caught:
        project_root(["__main__"])
    assert str(caught.value) == (
        "error[E703] the project's folder can't be told: "
        "the module `__main__` isn't a file that can be imported by its name\n"
        "  fix    keep the project's modules below one folder and import them from there, "
        "or name it: compile(..., root=...)"
    )


def test_two_folders_are_no_project(tmp_path, monkeypatch):
    for name in ("bundled_one", "bundled_two"):
        fill(tmp_path / name, f"{name}.py")
        module = type(sys)(name)
        module.__file__ = str(tmp_path / name / f"{name}.py")
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(
        CompileError, match=r"E703.*`bundled_one` is imported from .*bundled_one and `bundled_two` from"
    ):
        project_root(["bundled_one", "bundled_two"])


def test_a_task_in_a_file_that_is_left_out_is_refused(tmp_path, monkeypatch):
    root = fill(tmp_path, "flow.py", "secrets.py")
    module = type(sys)("secrets_of_mine")
    module.__file__ = str(tmp_path / "secrets.py")
    monkeypatch.setitem(sys.modules, "secrets_of_mine", module)
    with pytest.raises(CompileError) as caught:
        code_bundle(root, ["secrets_of_mine"])
    assert str(caught.value) == (
        "error[E704] the module `secrets_of_mine` of a task isn't in the bundle: "
        "git ignores it, or it looks like a secret\n"
        f"  where  {tmp_path / 'secrets.py'}\n"
        "  fix    give the file another name, or take it out of .gitignore"
    )


def test_a_project_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "LIMIT_BYTES", 2**20)
    (tmp_path / "data.bin").write_bytes(bytes(3 * 2**20))
    with pytest.raises(
        CompileError, match=r"E704.*together; a bundle may have 1 MiB(.|\n)*the largest file is data.bin \(3 MiB\)"
    ):
        code_bundle(str(tmp_path))
