"""`drawloom image`: Dockerfiles and locks; and options of a compiler as they are typed."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

FLOW = """
from drawloom import Pod, Resources, pipeline, task


@task
def plain(n: int) -> int:
    return n


@task(packages=["pandas>=2"])
def fit(n: int) -> int:
    return n


@task(packages=["pandas>=2"])
def fits(n: int) -> int:
    return n


@task(packages=["jinja2"], image="registry.example:5000/render:1")
def render(n: int) -> int:
    return n


@task(packages=["pyyaml"], image="registry.example:5000/render:1", resources=Resources(gpu=1), pod=Pod(spot=True))
def more(n: int) -> int:
    return n


@pipeline
def several(n: int = 1) -> int:
    return fit.with_options(packages=["jinja2", "jinja2"])(more(render(fits(fit(plain(n))))))


@pipeline
def stock(n: int = 1) -> int:
    return plain(n)


@task(packages=["no-such-package-anywhere", "pandas<1", "pandas>>2", "from-a-folder"])
def wrong(n: int) -> int:
    return n


@pipeline
def refused(n: int = 1) -> int:
    return wrong(n)
"""
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flow_of_images.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("flow_of_images", None)
    return tmp_path


def _pins(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text:
            pin = Requirement(text)
            (specifier,) = pin.specifier
            assert specifier.operator == "=="
            found[pin.name] = specifier.version
    return found


def test_each_environment_has_a_dockerfile_and_a_whole_lock(drawloom: Any, folder: Path) -> None:
    result = drawloom("image", "flow_of_images.py:several", "-o", "images")
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in (folder / "images").iterdir()) == ["fit", "fit-2", "render"]
    for path in (folder / "images").iterdir():
        lines = [line for line in (path / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
        assert lines[0] == f"FROM python:{PYTHON}-slim"
        assert [line.split()[0] for line in lines] == ["FROM", "COPY", "RUN"]
        pins = _pins(path / "requirements.txt")
        for name, version in pins.items():
            assert metadata.version(name) == version
            for text in metadata.requires(name) or ():  # whatever a pin needs is pinned
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    pinned = pins[re.sub(r"[-_.]+", "-", needed.name).lower()]
                    assert needed.specifier.contains(pinned, prereleases=True)
    assert _pins(folder / "images" / "fit-2" / "requirements.txt").keys() == {"jinja2", "markupsafe"}
    assert _pins(folder / "images" / "render" / "requirements.txt").keys() == {"jinja2", "markupsafe", "pyyaml"}
    assert "pandas" in _pins(folder / "images" / "fit" / "requirements.txt")
    assert "docker build -t registry.example:5000/render:1 images/render" in result.stdout.splitlines()
    assert "docker build -t REGISTRY/fit:1 images/fit" in result.stdout.splitlines()


def test_as_json(drawloom: Any, folder: Path) -> None:
    base = "registry.example/python:3.12"
    result = drawloom("image", "flow_of_images.py:several", "-o", "images", "--base", base, "--json")
    told = json.loads(result.stdout)
    assert told["base"] == base
    assert [one["tasks"] for one in told["environments"]] == [
        ["flow_of_images:fit", "flow_of_images:fits"],
        ["flow_of_images:render", "flow_of_images:more"],
        ["flow_of_images:fit"],
    ]
    assert told["environments"][1]["image"] == "registry.example:5000/render:1"
    assert f"FROM {base}\n" in (folder / "images" / "fit" / "Dockerfile").read_text()


def test_a_stock_image_needs_nothing(drawloom: Any, folder: Path) -> None:
    result = drawloom("image", "flow_of_images.py:stock", "-o", "images")
    assert result.stdout == "stock: no task declares packages: a stock image of Python will do\n"
    assert not (folder / "images").exists()


def test_what_cannot_be_pinned_is_refused_at_once(drawloom: Any, folder: Path) -> None:
    installed = folder / "from_a_folder-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: from-a-folder\nVersion: 1.0\n")
    (installed / "direct_url.json").write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    result = drawloom("image", "flow_of_images.py:refused", "-o", "images")
    assert result.exit_code == 2
    told = re.findall(r"error\[(\w+)\] task `flow_of_images:wrong` needs the package `([^`]*)`", result.stderr)
    assert sorted(told) == [
        ("E728", "no-such-package-anywhere"),
        ("E728", "pandas<1"),
        ("E728", "pandas>>2"),
        ("E729", "from-a-folder"),
    ]
    assert not (folder / "images").exists()


@pytest.mark.parametrize("base", ["", "a b", "{{x}}", "x\nRUN rm"])
def test_a_base_that_is_no_image_is_refused(drawloom: Any, folder: Path, base: str) -> None:
    result = drawloom("image", "flow_of_images.py:several", "-o", "images", f"--base={base}")
    if base == "":
        assert "FROM python:" in (folder / "images" / "fit" / "Dockerfile").read_text()
        return
    assert "error[E726] the base image=" in result.stderr
    assert not (folder / "images").exists()


def test_without_jinja2_it_says_what_to_install(drawloom: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = drawloom("image", "flow_of_images.py:several", "-o", "images")
    assert "error[E726] writing Dockerfiles needs jinja2" in result.stderr


# options of a compiler


def test_options_are_typed_by_what_the_compiler_takes(drawloom: Any, folder: Path) -> None:
    options = [
        *("store=s3://lake", "allow_pickle=false", "tolerations=a=b:NoSchedule", "tolerations=c"),
        *("volumes=team:/data:ro", "env.A.B=no", "labels.example.com/team=looms=1", "secret_env.TOKEN=api:token"),
        *("tasks.more.memory=8Gi", "tasks.more.node_selector.example.com/pool=gpu", "tasks.more.spot=false"),
        *("tasks.flow_of_images:render.tolerations=d", "tasks.flow_of_images:render.tolerations=e"),
    ]
    asked = [part for option in options for part in ("--option", option)]
    result = drawloom("compile", "flow_of_images.py:several", "--engine", "argo", "-o", "build", *asked)
    assert result.exit_code == 2
    assert "the option `labels['example.com/team']` of the argo compiler is 'looms=1'" in result.stderr
    asked[asked.index("labels.example.com/team=looms=1")] = "labels.example.com/team=looms"
    result = drawloom("compile", "flow_of_images.py:several", "--engine", "argo", "-o", "build", *asked)
    assert "the option `env` of the argo compiler is 'A.B'" in result.stderr
    asked[asked.index("env.A.B=no")] = "env.AB=no"
    result = drawloom("compile", "flow_of_images.py:several", "--engine", "argo", "-o", "build", *asked)
    assert result.exit_code == 0, result.stderr
    spec = yaml.safe_load((folder / "build" / "workflow.yaml").read_text())["spec"]
    assert [one["key"] for one in spec["tolerations"]] == ["a", "c"]
    assert spec["podMetadata"]["labels"] == {"example.com/team": "looms"}
    templates = {template["name"]: template for template in spec["templates"]}
    assert templates["step-more"]["nodeSelector"] == {"example.com/pool": "gpu"}
    assert templates["step-more"]["container"]["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": "1"}
    assert [one["key"] for one in templates["step-render"]["tolerations"]] == ["a", "c", "d", "e"]
    assert templates["step"]["container"]["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "api", "key": "token"}
    assert templates["step"]["container"]["volumeMounts"][0]["readOnly"] is True


@pytest.mark.parametrize("option", ["env=A", "tasks=train", "tasks.train.node_selector=gpu", "=x", "store"])
def test_an_option_of_another_form_is_refused(drawloom: Any, folder: Path, option: str) -> None:
    result = drawloom("compile", "flow_of_images.py:stock", "--engine", "argo", "-o", "build", "--option", option)
    assert result.exit_code == 2
    assert "error[P643] `--option " in result.stderr
