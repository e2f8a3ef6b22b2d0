"""The explicit control forms: `for_each`, `branch`, `while_loop`, `try_`.

Outside a pipeline that is being traced, and over known values, they are plain Python. Over run-time values they are
thin layers over the tracer's operations: record a block, join its results, record the control node.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FrameType
from typing import Any, Literal, NamedTuple, TypeVar, overload

from drawloom.dsl.constants import value_type
from drawloom.dsl.current import CURRENT
from drawloom.dsl.handles import Effect, Handle
from drawloom.dsl.loop_state import LoopState
from drawloom.dsl.place import refusal
from drawloom.dsl.recorded import Recorded
from drawloom.dsl.staging.branches import BranchNode
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.joins import join_sides, operand_of
from drawloom.dsl.staging.known import known_failure
from drawloom.dsl.staging.results import Results
from drawloom.dsl.staging.scopes import current_stage
from drawloom.dsl.staging.sides import Tried, called_result, called_side
from drawloom.dsl.staging.tries import record_try
from drawloom.dsl.staging.values import known_items, open_ended, truth
from drawloom.dsl.tracer import Tracer
from drawloom.errors import BoundReached, DefinitionError
from drawloom.ir.envelope import class_ref, decode
from drawloom.ir.iterated import iterated_type
from drawloom.ir.nodes import Carry, Loop, Map, Port
from drawloom.ir.operands import Caught, Item, Operand, Output
from drawloom.ir.policies import Parallelism
from drawloom.ir.types import ANY, Type

__all__ = ["branch", "for_each", "try_", "while_loop"]

# Any: bodies take and give the user's values, or handles over them

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
H = TypeVar("H")
Failure = Any  # `drawloom.values.failure.Failure`, which lies above this package

_MOST_ROUNDS = 3  # how often a loop's body is traced to find the type its state settles on


@overload
def for_each(
    items: Iterable[T], body: Callable[[T], R], *, parallelism: int | None = None, batch_size: int = 1
) -> list[R]: ...


@overload
def for_each(
    items: Iterable[T],
    body: Callable[[T], tuple[R, S]],
    *,
    parallelism: int | None = None,
    batch_size: int = 1,
    lists: Literal[2],
) -> tuple[list[R], list[S]]: ...


@overload
def for_each(
    items: Iterable[T],
    body: Callable[[T], tuple[R, S, H]],
    *,
    parallelism: int | None = None,
    batch_size: int = 1,
    lists: Literal[3],
) -> tuple[list[R], list[S], list[H]]: ...


def for_each(
    items: Iterable[T],
    body: Callable[[T], Any],
    *,
    parallelism: int | None = None,
    batch_size: int = 1,
    lists: int | None = None,
) -> Any:
    """`[body(item) for item in items]`; over a run-time value the items are worked on in parallel.

    Args:
        items: the items; a run-time list, or any known values.
        body: called with one item; traced once where the items are known only at run time.
        parallelism: at most so many items at once; no limit if left out.
        batch_size: how many items one step on an engine works on, where the body has tasks alone; else it is one.
        lists: how many values `body` returns, as a tuple; each goes into a list of its own.

    Returns:
        What `body` returned for each item, in the items' order; an empty list for no items. With `lists`, a tuple of so
        many lists.

    Raises:
        DefinitionError: `parallelism`, `batch_size` or `lists` is below 1, or `body` doesn't return `lists` values
            (D124), or the body can't be traced (D1..).
    """
    for name, number in (("parallelism", parallelism), ("batch_size", batch_size), ("lists", lists)):
        if number is not None and (type(number) is not int or number < 1):
            raise _bad("for_each", name, number, "a whole number of at least 1")
    tracer = CURRENT.get()
    limited = parallelism is not None or batch_size != 1
    if tracer is None or not (open_ended(items) or limited):
        body = converted(body) if tracer is not None else body
        made = [body(item) for item in items]
        return made if lists is None else _columns(made, lists)
    source: Any = items if isinstance(items, Handle) else list(items)
    ports = _record_map(tracer, source, body, lists, (parallelism, batch_size), sys._getframe(1))
    return ports if lists is not None else ports[0]


def _columns(rows: Iterable[Any], count: int) -> tuple[list[Any], ...]:
    columns: tuple[list[Any], ...] = tuple([] for _ in range(count))
    for row in rows:
        for column, value in zip(columns, _split(row, count), strict=True):
            column.append(value)
    return columns


def _split(returned: Any, count: int) -> tuple[Any, ...]:
    """The values that a body returned, so many."""
    parts = known_items(returned)
    if parts is None or len(parts) != count:
        given = "one value" if parts is None else f"{len(parts)} values"
        raise refusal(
            "D124",
            f"`for_each` is to make {count} lists, but its body returns {given}",
            "return a tuple of as many values as `lists` says",
        )
    return parts


def _record_map(
    tracer: Tracer,
    items: Any,
    body: Callable[[Any], Any],
    lists: int | None,
    limits: tuple[int | None, int],
    frame: FrameType,
) -> tuple[Any, ...]:
    operand = tracer.operand(items, "`items` of `for_each`")
    item_type = iterated_type(value_type(items)) or ANY
    node = tracer.node_id(frame, "for_each")
    body = converted(body)
    results = Results()

    def record_item() -> None:
        returned = body(Handle(tracer.block, Item(node), item_type))
        if lists is None and (returned is None or isinstance(returned, Effect)):
            return
        for part in (returned,) if lists is None else _split(returned, lists):
            results.add(*operand_of(tracer, part, "the result of `for_each`'s body"), plain=True)

    recorded = tracer.record_block(node, {}, _perhaps(record_item, "the body of this `for_each`"), "")
    ports = tuple(Port(port.name, Type("list", (port.type,))) for port in results.ports())
    parallelism, batch_size = limits
    limit = None if parallelism is None else Parallelism(parallelism)
    after = tracer.control_after([recorded])
    block = recorded.block(results.given())
    tracer.record_control(Map(node, operand, block, ports, item_type, batch_size, limit, after), [recorded])
    if not ports:
        return (tracer.result(node, ports),)
    return tuple(tracer.result(node, [port]) for port in ports)


@overload
def branch(test: object, then: Callable[[], R]) -> R | None: ...


@overload
def branch(test: object, then: Callable[[], R], otherwise: Callable[[], S]) -> R | S: ...


def branch(test: object, then: Callable[[], Any], otherwise: Callable[[], Any] | None = None) -> Any:
    """`then() if test else otherwise()`; on a run-time test both are traced and one is run.

    Args:
        test: what decides, by its truth.
        then: called if it is true.
        otherwise: called if it is false; None is the result if left out.

    Returns:
        What the chosen function returned.

    Raises:
        DefinitionError: a function can't be traced (D1..).
    """
    tracer = CURRENT.get()
    if tracer is not None:
        then, otherwise = converted(then), converted(otherwise)
    if tracer is None or not isinstance(test, Handle):
        return then() if test else otherwise() if otherwise is not None else None
    name, place = tracer.name_at(sys._getframe(1), "branch")
    stage = current_stage()
    assert stage is not None  # a trace is under way
    made = BranchNode(stage, test, name, place)
    sides = [
        called_side(tracer, partial(made.open_side, True), then, "`then` of this `branch`"),
        called_side(tracer, partial(made.open_side, False), otherwise or _nothing, "`otherwise` of this `branch`"),
    ]
    return called_result(tracer, made.node, made.join(sides), "the result of `branch`")


def _nothing() -> None: ...


def while_loop(
    test: Callable[[S], object],
    body: Callable[[S], S],
    initial: S,
    *,
    max_iterations: int,
    on_limit: Literal["fail", "stop"] = "fail",
) -> S:
    """`while test(state): state = body(state)`, at most `max_iterations` times.

    Args:
        test: called with the state; the loop goes on while what it returns is true.
        body: called with the state; returns the next one, of the same shape.
        initial: the first state: one value, or a tuple of values.
        max_iterations: how often the body may run; at least 1.
        on_limit: `fail`, or `stop` to go on with the state there is.

    Returns:
        The state at the end.

    Raises:
        BoundReached: the test is still true after `max_iterations`, and `on_limit` is `fail`.
        DefinitionError: an argument is wrong (D124), or the body returns a state of another shape (D125).
    """
    if type(max_iterations) is not int or max_iterations < 1:
        raise _bad("while_loop", "max_iterations", max_iterations, "a whole number of at least 1")
    if on_limit not in ("fail", "stop"):
        raise _bad("while_loop", "on_limit", on_limit, '"fail" or "stop"')
    tracer = CURRENT.get()
    if tracer is not None:
        made: S = _record_loop(tracer, test, body, initial, (max_iterations, on_limit), sys._getframe(1))
        return made
    state = initial
    for _ in range(max_iterations):
        if not test(state):
            return state
        state = body(state)
    if on_limit == "fail" and test(state):
        raise BoundReached(max_iterations)
    return state


def _record_loop(
    tracer: Tracer,
    test: Callable[[Any], object],
    body: Callable[[Any], Any],
    initial: Any,
    limit: tuple[int, str],
    frame: FrameType,
) -> Any:
    node = tracer.node_id(frame, "while_loop")
    test, body = converted(test), converted(body)
    state = LoopState(tracer, node, initial)
    known = len(tracer.sites)
    for _ in range(_MOST_ROUNDS):
        tracer.forget(known)
        turn = _record_turn(tracer, node, test, body, state)
        if turn.settled:
            break
    else:
        shown = ", ".join(map(str, state.types))
        raise refusal(
            "D125",
            f"the type of `while_loop`'s state doesn't settle: {shown} after {_MOST_ROUNDS} rounds",
            "let the body return the types that `initial` has",
        )
    carries = tuple(Carry(name, operand, type_) for (name, operand), type_ in zip(state.initial, state.types))
    blocks = (turn.tested, turn.turned)
    made = Loop(
        node,
        carries,
        turn.tested.block(turn.test),
        turn.turned.block(turn.results),
        *limit,
        tracer.control_after(blocks),
    )
    tracer.record_control(made, blocks)
    return state.handles(lambda name: Output(node, name))


def _perhaps(record: Callable[[], None], where: str) -> Callable[[], None]:
    """Records what a run may never reach: an error of known values in it is told (D147), and no `try_` takes it."""

    def recorded() -> None:
        try:
            record()
        except Exception as error:
            known_failure(error, error.__traceback__, where)
            raise

    return recorded


class _Turn(NamedTuple):
    """A loop's blocks, traced once, with what they give."""

    tested: Recorded
    test: list[tuple[str, Operand]]
    turned: Recorded
    results: list[tuple[str, Operand]]
    settled: bool


def _record_turn(
    tracer: Tracer, node: str, test: Callable[[Any], object], body: Callable[[Any], Any], state: LoopState
) -> _Turn:
    tests: list[tuple[str, Operand]] = []
    results: list[tuple[str, Operand]] = []
    settled = False

    def run_test() -> None:
        tests.append(("test", truth(tracer, test(state.carried()), "the test of `while_loop`")))

    def run_body() -> None:
        nonlocal settled
        returned = body(state.carried())
        results.extend(state.parts(returned, "the state of `while_loop`"))
        settled = state.settle(returned)

    counts: dict[str, int] = {}
    tested = tracer.record_block(
        node, counts, _perhaps(run_test, "the test of this `while_loop`"), "the test of `while_loop`"
    )
    turned = tracer.record_block(
        node, counts, _perhaps(run_body, "the body of this `while_loop`"), "the state of `while_loop`"
    )
    return _Turn(tested, tests, turned, results, settled)


def try_(
    body: Callable[[], R],
    handlers: Mapping[type[Exception], Callable[[Failure], H]] | None = None,
    finally_: Callable[[], object] | None = None,
) -> R | H:
    """`try: body()`, with a function for each exception class, and one that is called in any case at the end.

    Args:
        body: called first.
        handlers: exception class -> called with a `Failure` (`.type`, `.message`, `.node`) if the body fails with that
            class or a subclass; the first that matches, in order.
        finally_: called at the end in any case; if it fails, that failure counts.

    Returns:
        What the body returned, or the handler that was called.

    Raises:
        DefinitionError: there is neither a handler nor `finally_`, or a key is no exception class (D124), or a function
            can't be traced (D1..).
    """
    known = dict(handlers or {})
    if not known and finally_ is None:
        raise refusal("D124", "`try_` has neither handlers nor `finally_`", "call the body itself, or give one of them")
    for cls in known:
        if not (isinstance(cls, type) and issubclass(cls, Exception)):
            raise _bad("try_", "handlers", cls, "exception classes with their functions")
    tracer = CURRENT.get()
    if tracer is None:
        here: R | H = _try_here(body, known, finally_)
        return here
    made: R | H = _record_try(tracer, body, known, finally_, sys._getframe(1))
    return made


def _try_here(
    body: Callable[[], Any],
    handlers: Mapping[type[Exception], Callable[[Failure], Any]],
    finally_: Callable[[], object] | None,
) -> Any:
    try:
        return body()
    except DefinitionError:  # ours, about the pipeline; not a failure of its work
        raise
    except Exception as error:
        handler = next((h for cls, h in handlers.items() if isinstance(error, cls)), None)
        if handler is None:
            raise
        return handler(_failure(error))
    finally:
        if finally_ is not None:
            finally_()


def _failure(error: Exception) -> Any:
    """The `Failure` of an exception, made from its envelope: this package lies below the value types."""
    fields = [["type", class_ref(type(error))], ["message", str(error)], ["node", ""]]
    return decode({"$": "dataclass", "class": "drawloom.values.failure:Failure", "v": fields})


def _record_try(
    tracer: Tracer,
    body: Callable[[], Any],
    handlers: Mapping[type[Exception], Callable[[Failure], Any]],
    finally_: Callable[[], object] | None,
    frame: FrameType,
) -> Any:
    name, place = tracer.name_at(frame, "try")
    node = tracer.named_id(name, *place)
    counts: dict[str, int] = {}
    opened = partial(tracer.open_block, f"{node}/", counts)
    tried = Tried(tracer, opened, converted(body))
    if tried.side is None:
        tracer.release_id(node, name)
        return _try_here(tried.natively, {cls: converted(h) for cls, h in handlers.items()}, converted(finally_))
    sides = [tried.side]
    for handler in handlers.values():
        handled = _caught(tracer, node, converted(handler))
        sides.append(called_side(tracer, opened, handled, "this handler of `try_`"))
    final = None
    if finally_ is not None:
        final = called_side(tracer, opened, converted(finally_), "`finally_` of this `try_`")
    kinds = [(class_ref(cls),) for cls in handlers]
    record = partial(record_try, tracer, node, kinds, sides, final)
    return called_result(tracer, node, join_sides(tracer, node, sides, record), "the result of `try_`")


def _caught(tracer: Tracer, node: str, handler: Callable[[Failure], Any]) -> Callable[[], Any]:
    return lambda: handler(Handle(tracer.block, Caught(node), Type("failure")))


def _bad(owner: str, name: str, value: object, expected: str) -> Exception:
    return refusal("D124", f"{owner}({name}={value!r}) must be {expected}", f"pass {expected} as `{name}`")
