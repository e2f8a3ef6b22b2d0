"""A published program in a temporary store, and its steps started in this process."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.compilers.base import compiler_of
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.dsl.tracing import trace
from drawloom.runtimes import begin, step
from drawloom.runtimes.publish import publish_program

SAMPLES = str(Path(__file__).parent / "samples")
if SAMPLES not in sys.path:
    sys.path.insert(0, SAMPLES)


class Published:
    """A pipeline compiled and published; `begin` and `step` do what an engine's processes would."""

    def __init__(self, pipeline: Any, folder: Path, engine: str = "reference") -> None:
        self.folder = folder
        self.program = trace(pipeline, {}).program
        self.store = str(folder / "store")
        self.catalog = Catalog.open(self.store)
        options = {} if engine == "reference" else {"store": self.store}
        files = compiler_of(engine).compile(self.program, root=SAMPLES, **options)
        self.steps = [step.id for step in lower_steps(self.program.pipeline).steps]
        self.digest = json.loads(files["engine.json"])["program"]
        publish_program(self.catalog.storage, files, self.digest)
        self.reference = ""

    def begin(self, params: dict[str, Any] | None = None, identity: str = "1", **more: Any) -> int:
        given = {name: {"tree": self.catalog.values.encode(value)} for name, value in (params or {}).items()}
        asked = {"engine": "reference", "ids": [["run", identity]], "params": given, **more}
        text = b64encode(json.dumps(asked).encode()).decode()
        out = self.out("begin")
        code = begin.main(
            [*self._where(), "--program", self.digest, "--run", text, "--out", str(out)],
        )
        if code == 0:
            self.reference = (out / "run").read_text()
        return code

    def step(self, name: str, index: str = "-", attempt: int = 1, after: str = "") -> int:
        return step.main(self.arguments(name, index, attempt, after))

    def arguments(self, name: str, index: str = "-", attempt: int = 1, after: str = "") -> list[str]:
        """The command line of a step."""
        options = {
            "run": self.reference,
            "step": name,
            "index": index,
            "attempt": str(attempt),
            "out": str(self.out(name)),
            **({"after": after} if after else {}),
        }
        return [*self._where(), *(part for key, text in options.items() for part in (f"--{key}", text))]

    def out(self, name: str) -> Path:
        folder = self.folder / "out" / name.replace(":", "-").replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def texts(self, name: str) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.out(name).iterdir()}

    @property
    def run(self) -> Any:
        return self.catalog.run(self.reference.rpartition(".")[0])

    def _where(self) -> list[str]:
        return ["--store", self.store, "--project", "default"]


@pytest.fixture
def publish(tmp_path: Path) -> Any:
    """Publishes a pipeline in a store of its own."""
    return lambda pipeline, engine="reference": Published(pipeline, tmp_path, engine)
