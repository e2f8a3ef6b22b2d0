"""`@task` and `@pipeline` outside a trace: plain functions with options, and what can't be one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest

from drawloom import Cache, DefinitionError, Retry, pipeline, task
from drawloom.errors import Span
from drawloom.ir.policies import CachePolicy, Policies, RetryPolicy


@task
def double(n: int) -> int:
    """Twice a number."""
    return 2 * n


@pipeline
def quadruple(n: int) -> int:
    return double(double(n))


def refusal_of(make: Any) -> str:
    """The text of the one diagnostic, without its place."""
    with pytest.raises(DefinitionError) as caught:
        make()
    (found,) = caught.value.diagnostics
    assert isinstance(found.where, Span)
    assert found.where.file == __file__
    return f"{found.code} {found.what} | {found.fix}"


def test_a_task_called_outside_a_trace_is_the_function() -> None:
    assert double(4) == 8
    assert quadruple(4) == 16
    assert double.__doc__ == "Twice a number."
    assert double.name == f"{__name__}:double"
    assert (double.__name__, quadruple.name) == ("double", "quadruple")


def test_an_exception_of_a_task_comes_out_unchanged() -> None:
    @task
    def fail(n: int) -> float:
        return 1 / n

    with pytest.raises(ZeroDivisionError):
        fail(0)


def test_a_task_is_pickled_by_reference() -> None:
    sys.modules.setdefault(__name__, sys.modules[double.__module__])
    assert pickle.loads(pickle.dumps(double)) is double
    assert pickle.loads(pickle.dumps(quadruple)) is quadruple


def test_options_become_policies() -> None:
    retry = Retry(3, delay_seconds=1, factor=2, on=[ValueError, "infra", "timeout"])

    @task(retry=retry, attempt_timeout_seconds=5, node_timeout_seconds=60.0, cache=Cache(True, "2"), packages=["numpy"])
    def work(n: int) -> int:
        return n

    assert work.policies == Policies(
        retry=RetryPolicy(3, 1.0, 2.0, 3600.0, ("builtins:ValueError", "infra", "timeout")),
        attempt_timeout_seconds=5,
        node_timeout_seconds=60.0,
        cache=CachePolicy(True, "2"),
        packages=("numpy",),
    )
    assert task(cache=False)(work.function).policies.cache == CachePolicy(False)
    assert double.policies == Policies()


def test_with_options_keeps_what_it_does_not_name() -> None:
    made = double.with_options(retry=Retry(5)).with_options(cache=True)
    assert made.policies == Policies(retry=RetryPolicy(5), cache=CachePolicy(True))
    assert made.declared is double
    assert made(3) == 6
    assert double.policies == Policies()


def test_what_is_no_function_is_refused() -> None:
    assert refusal_of(lambda: task(lambda n: n)) == (
        "D101 a lambda can't be a task: it has no name to be found by | write a `def` with a name"
    )
    assert refusal_of(lambda: task(len)) == (
        "D101 @task is given a builtin_function_or_method, not a function written with `def` | "
        "put @task on a `def` that calls it"
    )
    assert refusal_of(lambda: pipeline(staticmethod(double.function))) == (  # type: ignore[arg-type]
        "D101 @pipeline is given a staticmethod; a pipeline is a function of its own | move it out of the class"
    )


def test_generators_and_coroutines_are_refused() -> None:
    def numbers() -> Any:
        yield 1

    async def fetch() -> int:
        return 1

    assert refusal_of(lambda: task(numbers)) == (
        "D102 `numbers` is a generator; a task returns its result | return a list instead of yielding"
    )
    assert refusal_of(lambda: pipeline(fetch)) == (
        "D102 `fetch` is an async function; a pipeline returns its result | "
        "write `def`, and run the event loop inside it"
    )


def test_methods_are_refused() -> None:
    def declare() -> None:
        class Model:
            @task
            def fit(self, n: int) -> int:
                return n

    declared = f"`{test_methods_are_refused.__name__}.<locals>.declare.<locals>.Model.fit`"
    assert refusal_of(declare) == (
        f"D103 {declared} is a method; a task is a function of its own | "
        "move it out of the class and pass what it needs of `self` as parameters"
    )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Retry(0),
            (
                "Retry(max_attempts=0) must be a whole number of at least 1 | "
                "pass a whole number of at least 1 as `max_attempts`"
            ),
        ),
        (
            lambda: Retry(2, delay_seconds=-1),
            (
                "Retry(delay_seconds=-1) must be a number of seconds of at least 0 | "
                "pass a number of seconds of at least 0 as `delay_seconds`"
            ),
        ),
        (
            lambda: Retry(2, factor=0.5),
            "Retry(factor=0.5) must be a number of at least 1 | pass a number of at least 1 as `factor`",
        ),
        (
            lambda: Retry(2, on=["crash"]),
            (
                'Retry(on=\'crash\') must be exception classes, "infra" or "timeout" | '
                'pass exception classes, "infra" or "timeout" as `on`'
            ),
        ),
        (
            lambda: Cache(version=2),  # type: ignore[arg-type]
            "Cache(version=2) must be a text | pass a text as `version`",
        ),
        (
            lambda: task(attempt_timeout_seconds=0),
            (
                "task(attempt_timeout_seconds=0) must be a number of seconds above 0 | "
                "pass a number of seconds above 0 as `attempt_timeout_seconds`"
            ),
        ),
        (
            lambda: double.with_options(packages="numpy"),
            (
                "with_options(packages='numpy') must be a list of requirements ([\"pandas>=2\"]) | "
                'pass a list of requirements (["pandas>=2"]) as `packages`'
            ),
        ),
        (
            lambda: pipeline(run_timeout_seconds=-1),
            (
                "pipeline(run_timeout_seconds=-1) must be a number of seconds above 0 | "
                "pass a number of seconds above 0 as `run_timeout_seconds`"
            ),
        ),
    ],
)
def test_a_bad_option_is_refused(make: Any, text: str) -> None:
    assert refusal_of(make) == f"D108 {text}"


def test_importing_the_decorators_loads_nothing_that_tracing_needs() -> None:
    code = (
        "import sys; from drawloom import task, pipeline\n"
        "@task\ndef f(n: int) -> int: return n\n"
        "@pipeline\ndef p(n: int) -> int: return f(n)\n"
        "assert p(1) == 1\n"
        "print(*sorted(m for m in sys.modules if m.startswith('drawloom') or m in ('inspect', 'ast', 'dataclasses')))"
    )
    loaded = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {ROOT!r}); {code}"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    assert loaded == [
        "drawloom",
        "drawloom.dsl",
        "drawloom.dsl.current",
        "drawloom.dsl.options",
        "drawloom.dsl.pipeline",
        "drawloom.dsl.place",
        "drawloom.dsl.task",
    ]


ROOT = str(__import__("pathlib").Path(__file__).parents[2])
