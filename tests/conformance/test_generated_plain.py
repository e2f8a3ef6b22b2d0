"""Generated modules in plain Python: what is traced means what the plain function does; what is wrong is refused.

Compared are the result or the exception, which calls are made, and the order of effects, for several parameter sets.
In a run everything goes on whose inputs are there, so it makes more calls than Python once something has failed, and
never fewer.

`PLAIN_EXAMPLES` says how many programs (200) and `PLAIN_MISTAKES` how many mistakes (as many), always the same ones; with
`PLAIN_SEED` others, so that several processes
can share the work.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject, seed, settings

FOLDERS = (Path(__file__).parents[1] / "strategies", Path(__file__).parent / "generated")
sys.path[:0] = [str(path) for path in FOLDERS if str(path) not in sys.path]
import plain_tasks  # noqa: E402  # found beside these tests, imported by path
from plain_mutations import MUTATIONS, Mutated, mutated  # noqa: E402
from plain_runs import as_python, compare, imported, refuse  # noqa: E402
from plain_sources import Plain, plain_sources  # noqa: E402

EXAMPLES = int(os.environ.get("PLAIN_EXAMPLES", "200"))
MISTAKES = int(os.environ.get("PLAIN_MISTAKES", str(EXAMPLES)))
SEED = os.environ.get("PLAIN_SEED", "")
REFUSED_AT_MOST = 0.15  # of well-typed programs; 0.08 to 0.1 was measured
NEEDLESS_AT_MOST = 0.02  # refusals that no page names for what the program does; 0.005 to 0.01 was measured
ELSEWHERE_AT_MOST = 0.01  # of mistakes; 1 in 12,000 was measured
staged = pytest.mark.skipif(not find_spec("drawloom.dsl.staging"), reason="plain control flow is not staged")
pytestmark = pytest.mark.timeout(300 + EXAMPLES)


def generated(test: Callable[..., Any], examples: int = EXAMPLES) -> Callable[..., Any]:
    """The settings of these tests."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    checks.append(HealthCheck.function_scoped_fixture)  # a folder, in which nothing stays
    phases = [Phase.explicit, Phase.reuse, Phase.generate]  # to shrink a program of sixty lines takes minutes
    chosen = settings(
        max_examples=examples, deadline=None, suppress_health_check=checks, phases=phases, derandomize=not SEED
    )
    test = chosen(test)
    return seed(int(SEED))(test) if SEED else test


def test_generated_modules_raise_only_what_they_may(tmp_path: Path) -> None:
    @generated
    @given(plain_sources())
    def run(plain: Plain) -> None:
        with imported(plain.text, tmp_path) as module:
            for params in plain.params:
                try:
                    as_python(module, params)
                except plain_tasks.TooLong:
                    reject()

    run()


@staged
def test_a_generated_pipeline_does_what_its_plain_function_does(tmp_path: Path) -> None:
    found: Counter[str] = Counter()

    @generated
    @given(plain_sources())
    def run(plain: Plain) -> None:
        outcome = compare(plain, tmp_path)
        found[outcome] += 1
        if outcome.startswith("known"):
            reject()

    run()
    refused = sum(count for outcome, count in found.items() if outcome.startswith("refused"))
    assert refused <= 3 + REFUSED_AT_MOST * found.total(), f"well-typed programs are refused: {found}"
    needless = sum(count for outcome, count in found.items() if outcome.startswith("refused without need"))
    assert needless <= 3 + NEEDLESS_AT_MOST * found.total(), f"well-typed programs are refused without need: {found}"


@staged
def test_a_generated_mistake_is_refused_at_its_line(tmp_path: Path) -> None:
    found: dict[str, Counter[str]] = {}

    @partial(generated, examples=MISTAKES)
    @given(mutated())
    def run(wrong: Mutated) -> None:
        found.setdefault(wrong.name, Counter())[refuse(wrong, tmp_path)] += 1

    run()
    elsewhere = sum(count for codes in found.values() for code, count in codes.items() if code.startswith("elsewhere"))
    assert elsewhere <= 1 + ELSEWHERE_AT_MOST * MISTAKES, f"mistakes are refused at other lines: {found}"
    never = [name for name in MUTATIONS if found.get(name, Counter({"": 1})).keys() == {"not met"}]
    assert len(never) < len(MUTATIONS) / 4, f"these are never met: {never}"
