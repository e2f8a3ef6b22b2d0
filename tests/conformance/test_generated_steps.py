"""Generated programs, lowered to steps and run step by step in this process: many more than processes would allow.

The follower, the steps and the store are the real ones; only the processes are left out.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from hypothesis import assume, given

sys.path[:0] = [path for path in (str(Path(__file__).parent),) if path not in sys.path]
import test_generated_programs as generated_programs  # noqa: E402  # found beside this file, imported by path

from drawloom.compilers.passes.lower_steps import lower_steps  # noqa: E402
from drawloom.compilers.passes.plan import entry_json  # noqa: E402
from drawloom.compilers.program_files import program_files  # noqa: E402
from drawloom.ir.program import pipeline_digest  # noqa: E402
from drawloom.runtimes import begin, step  # noqa: E402
from drawloom.runtimes.engine_faults import Fate, Faults  # noqa: E402
from drawloom.runtimes.engine_follow import Follower  # noqa: E402
from drawloom.runtimes.engine_process import Ended  # noqa: E402
from drawloom.runtimes.publish import begin_text, publish_program  # noqa: E402


class InThisProcess:
    """Starts steps one at a time, as calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], _: Fate) -> Ended:
        out = self._folder / f"out-{next(self._numbers)}"
        out.mkdir()
        said = io.StringIO()
        main = {"begin": begin.main, "step": step.main}[arguments[0]]
        with self._lock, contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main([*arguments[1:], "--out", str(out)])
        assert code != step.LOST, said.getvalue()
        return Ended(code, {path.name: path.read_text("ascii") for path in out.iterdir()}, said.getvalue(), "")

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


def _nothing_is_lost(*seen: object) -> None:
    raise AssertionError(seen)


@generated_programs.some(30)
@given(generated_programs.programs(most=16))
def test_a_program_gives_the_same_step_by_step(program: generated_programs.Generated) -> None:
    with generated_programs.bench(program) as at:
        assume(len(at.outcome.instances) <= 40)
        plan = lower_steps(at.pipeline)
        digest = pipeline_digest(at.pipeline)
        files = {**program_files(at.program, plan), "bundle.zip": b"no step unpacks it here"}
        publish_program(at.catalog.storage, files, digest)
        where = ["--store", str(at.folder / "store"), "--project", "default"]
        starter = InThisProcess(at.folder)
        follower = Follower(starter, where, Faults(lost_retries=0), _nothing_is_lost)  # type: ignore[arg-type]
        asked = begin_text(
            at.catalog, at.params("run"), "reference", [["run", "1"]], generated_programs.TIME.isoformat()
        )
        follower.begin(digest, asked)
        follower.follow(entry_json(plan.body))
        follower.end()
        run = at.catalog.run(follower.reference.rpartition(".")[0])
        generated_programs.assert_same(at.seen(run, "run"), at.expected())
