"""Runs plain modules: as Python, and as what they are traced to; and says where both differ."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import fields, is_dataclass
from itertools import count
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

sys.path[:0] = [p for p in (str(Path(__file__).parents[1] / "conformance" / "generated"),) if p not in sys.path]
import plain_tasks  # noqa: E402  # found by the path above, as the generated modules find it
from plain_mutations import ANYWHERE, EVEN_UNREACHED, Mutated  # noqa: E402
from plain_sources import Plain  # noqa: E402

from drawloom.dsl.tracing import Trace, trace  # noqa: E402
from drawloom.errors import DefinitionError, Diagnostic  # noqa: E402
from drawloom.ir.check import check_pipeline  # noqa: E402
from drawloom.ir.interpret import interpret  # noqa: E402

__all__ = ["Difference", "Ended", "as_python", "compare", "imported", "refuse"]

Ended = tuple[Any, BaseException | None, list[str]]  # the result, what was raised, the calls made
RAISED = (ArithmeticError, LookupError, ValueError, AssertionError, plain_tasks.BoundReached)
REFUSED = {
    "D110": "a key made of known items by an expression at run time",
    "D118": "an item added to a list that a `try` or a branch made",
    "D138": "a name of which it isn't known how far a `try` came, or that is bound behind an `and`",
    "D145": "a list read and appended in one loop",
    "D146": "values of which one can't be handed on",
    "D147": "known values that raise under a run-time test",
    "D149": "`any` and `all` of a generator with tests, or inside another loop",
}  # of well-typed programs, on purpose
NUMBERS = count(1)  # each module has a name of its own


class Difference(AssertionError):
    """A program does something else than its plain function."""


@contextmanager
def imported(text: str, folder: Path) -> Iterator[ModuleType]:
    """The module of a text, in a file of its own."""
    name = f"generated_{next(NUMBERS)}"
    path = folder / f"{name}.py"
    path.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
        yield module
    finally:
        del sys.modules[name]
        path.unlink()


def as_python(module: ModuleType, params: dict[str, Any]) -> Ended:
    """What the plain function does.

    Raises:
        Difference: it raises what no program here should: the program is at fault.
    """
    plain_tasks.LOG.clear()
    plain_tasks.FAILED.clear()
    result, failure = None, None
    try:
        result = module.main.function(**deepcopy(params))
    except RAISED as error:
        failure = error
    except Exception as error:
        raise Difference(f"the program itself raises {error!r}") from error
    return result, failure, list(plain_tasks.LOG)


def as_interpreted(traced: Trace, params: dict[str, Any]) -> tuple[Ended, bool]:
    """What the reference interpreter makes of the trace, and whether anything failed on the way, handled or not."""
    plain_tasks.LOG.clear()
    plain_tasks.FAILED.clear()
    outcome = interpret(traced.program.pipeline, traced.functions, params)
    return (
        outcome.result,
        outcome.failure,
        list(plain_tasks.LOG),
    ), outcome.failure is not None or "failed" in outcome.instances.values()


def compare(plain: Plain, folder: Path) -> str:
    """Trace a module and compare all its parameter sets.

    Returns:
        `same`; `two failures`, of which another counts; `refused D110` with the code of a refusal that is meant; `refused
        without need G217` with that of one that isn't; or `known ZeroDivisionError`: known values alone raise.

    Raises:
        Difference: the trace doesn't mean what the plain function does, or something else than a refusal was raised.
    """
    with imported(plain.text, folder) as module:
        try:
            traced = trace(module.main)
        except DefinitionError as error:
            _located(error.diagnostics, Path(module.main.function.__code__.co_filename))
            code = error.diagnostics[0].code
            return f"refused {code}" if code in REFUSED else f"refused without need {code}"
        except RAISED as error:  # of known values: it is met while tracing, whatever comes before it in a run
            return f"known {type(error).__name__}"
        except Exception as error:
            raise Difference(f"tracing raises {type(error).__name__}: {error}") from error
        problems = [str(problem) for problem in check_pipeline(traced.program)]
        if problems:
            return f"refused without need {problems[0][6:10]}"
        for params in plain.params:
            try:
                expected = as_python(module, params)
            except plain_tasks.TooLong:
                continue
            failures = Counter(plain_tasks.FAILED)
            found, failed = as_interpreted(traced, params)
            more = Counter(plain_tasks.FAILED) - failures
            try:
                _same(found, expected, params, failed=failed)
            except Difference:
                if not (failed and (more or found[1]) and expression_failures(module, params)):
                    raise
                return "two failures"
    return "same"


def expression_failures(module: ModuleType, params: dict[str, Any]) -> list[str]:
    """The exceptions that operators and builtins raise when the plain function runs, handled or not.

    Such an expression is evaluated where its value is used: if something else fails too, either may count.
    """
    found: list[str] = []

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "exception" and arg[2].tb_next is None and _of_expression(arg[1]):
            found.append(repr(arg[1]))
        return local

    def calls(frame: FrameType, event: str, arg: Any) -> Any:
        return local if frame.f_globals.get("__name__") == module.__name__ else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        as_python(module, params)
    finally:
        sys.settrace(before)
    return found


def refuse(wrong: Mutated, folder: Path) -> str:
    """Trace and check a module with a mutation, which must be refused at one of its lines.

    Returns:
        The code of the refusal; `elsewhere CODE` if another line is refused on purpose; `not met` if the place isn't reached while tracing, or the module itself is refused.

    Raises:
        Difference: it is accepted, or refused elsewhere, or something else was raised.
    """
    try:
        with imported(wrong.plain.text, folder) as module:
            if check_pipeline(trace(module.main).program):
                return "not met"
    except Exception:
        return "not met"  # what is wrong with the module itself is another test's
    before = plain_tasks.TICK()
    path: Path | None = None
    try:
        with imported(wrong.text, folder) as module:
            path = Path(str(module.__spec__.origin))  # type: ignore[union-attr]
            problems = check_pipeline(trace(module.main).program)
    except DefinitionError as error:
        problems = list(error.diagnostics)
    except SyntaxError:
        return "not met"
    except Exception as error:
        if plain_tasks.TICK() == before + 1:
            return "not met"
        raise Difference(f"{wrong.name}: tracing raises {type(error).__name__}: {error}") from error
    unreached = plain_tasks.TICK() == before + 1
    if unreached and (wrong.name not in ANYWHERE or (not problems and wrong.name != EVEN_UNREACHED)):
        return "not met"
    if not problems:
        raise Difference(f"{wrong.name}: accepted")
    _located(problems, path)
    where = problems[0].where
    assert where is not None
    if wrong.name not in ANYWHERE and where.line not in wrong.lines:
        # with a call in it, a `try` that was run natively is recorded, and what was allowed behind it isn't any more
        if problems[0].code in REFUSED:
            return f"elsewhere {problems[0].code}"
        raise Difference(f"{wrong.name}: refused at line {where.line}: {problems[0]}")
    return problems[0].code


def _located(problems: list[Diagnostic] | Any, path: Path | None) -> None:
    for problem in problems:
        if problem.where is None or not problem.where.line or (path and problem.where.file != str(path)):
            raise Difference(f"a refusal without a place in the module ({path}): {problem}")
        if not problem.fix or not problem.code:
            raise Difference(f"a refusal without a code or a fix: {problem}")


def _same(found: Ended, expected: Ended, params: dict[str, Any], *, failed: bool) -> None:
    told = f"with {params}: expected {_outcome(expected)}, got {_outcome(found)}"
    if found[1] is not None or expected[1] is not None:
        if found[1] is None or expected[1] is None:
            raise Difference(told)
        if _named(found[1]) != _named(expected[1]):
            raise Difference(told)
    elif shape(found[0]) != shape(expected[0]):
        raise Difference(told)
    missing = Counter(expected[2]) - Counter(found[2])
    if missing:
        raise Difference(f"{told}; calls that were not made: {dict(missing)}")
    mine, theirs = _effects(found[2]), _effects(expected[2])
    if not failed and Counter(found[2]) != Counter(expected[2]):
        raise Difference(f"{told}; calls too many: {dict(Counter(found[2]) - Counter(expected[2]))}")
    if not (_is_within(theirs, mine) if failed else mine == theirs):
        raise Difference(f"{told}; effects {mine}, expected {theirs}")


def _outcome(ended: Ended) -> str:
    return repr(ended[0]) if ended[1] is None else f"{type(ended[1]).__name__}: {ended[1]}"


def _named(error: BaseException) -> tuple[str, str]:
    return type(error).__qualname__, str(error)


def _of_expression(error: BaseException) -> bool:
    """Whether an operator or a builtin raised it."""
    plain = type(error) in (ZeroDivisionError, OverflowError, IndexError, KeyError)
    return plain or (type(error) is ValueError and str(error) != "v")


def _effects(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("note ")]


def _is_within(few: list[str], many: list[str]) -> bool:
    """Whether `few` are among `many`, in their order."""
    rest = iter(many)
    return all(one in rest for one in few)


def shape(value: Any) -> Any:
    """A value as something that is equal only to the same values of the same types, NaN included."""
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [shape(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, value))
    if is_dataclass(value):
        return type(value).__name__, [shape(getattr(value, field.name)) for field in fields(value)]
    return type(value).__name__, repr(value)
