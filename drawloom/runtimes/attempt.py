"""One try of a task: decode its inputs, call the function, check and encode what it returns, or say why it failed.

The same code runs in a thread of a local run, in a worker process and in a remote step. A failure is data
(`FailureInfo`), made without pickle; `catalog.raising` makes an exception of it again. Standard library alone: a step
loads this module.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from drawloom.catalog.records import FailureInfo
from drawloom.errors import Diagnostic, DrawloomError, ValueRefused
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.envelope import class_by_ref, class_ref
from drawloom.ir.policies import INFRA, TIMEOUT
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.runtimes.capture import Log, capturing
from drawloom.runtimes.tracked import NOTHING, Tracked

__all__ = [
    "AttemptResult",
    "decoded_inputs",
    "describe_failure",
    "encoded_result",
    "engine_failure",
    "load_function",
    "redacted",
    "reveal_secrets",
    "run_attempt",
]

_ARGUMENTS_LIMIT_BYTES = 65536  # exception arguments larger than this are not kept: a record stays small
_DRAWLOOM = __file__[: -len("runtimes/attempt.py")]
# what handlers match for failures that are no exception of the task's: `except Exception` catches them
_ENGINE_BASES = {
    TIMEOUT: (
        "drawloom.errors:TaskFailed",
        "builtins:TimeoutError",
        "builtins:OSError",
        "builtins:Exception",
        "builtins:BaseException",
    ),
    INFRA: (
        "drawloom.errors:TaskFailed",
        "drawloom.errors:NodeFailed",
        "drawloom.errors:DrawloomError",
        "builtins:Exception",
        "builtins:BaseException",
    ),
}


class AttemptResult:
    """How an attempt ended.

    Args:
        outcome: `succeeded`, `failed`, `timeout` or `cancelled`.
        output: the tree of what the task returned, None unless it succeeded.
        failure: why it failed, None if it didn't.
        exception: the live exception, where the attempt ran in this process.
        seconds: the time from decoding the first input to storing the result.
        log: what it printed and logged.
        tracked: its metrics and artifacts.
    """

    __slots__ = ("exception", "failure", "log", "outcome", "output", "seconds", "tracked")

    def __init__(
        self,
        outcome: str,
        output: Json = None,
        failure: FailureInfo | None = None,
        exception: BaseException | None = None,
        seconds: float = 0.0,
        log: bytes = b"",
        tracked: Tracked = NOTHING,
    ) -> None:
        self.tracked = tracked
        self.outcome = outcome
        self.output = output
        self.failure = failure
        self.exception = exception
        self.seconds = seconds
        self.log = log


def load_function(ref: FunctionRef) -> Callable[..., Any]:
    """The plain Python function a task was made of, its module imported.

    Raises:
        ImportError, AttributeError: there is no such module or name.
    """
    found = class_by_ref(f"{ref.module}:{ref.qualname}")
    # the name holds the decorated object; known by its module's name, because runtimes don't import the front end
    if type(found).__module__ == "drawloom.dsl.task":
        found = found.function
    made: Callable[..., Any] = found
    return made


def run_attempt(
    function: Callable[..., Any],
    spec: TaskSpec,
    inputs: Mapping[str, Json],
    values: Any,  # values.store.Values; not imported, so that a step decides when codecs are loaded
    *,
    tee: bool = False,
    interruptible: bool = True,
    place: tuple[Any, ...] = (),
) -> AttemptResult:
    """Runs a task once in this thread. Never raises for what the task does, `KeyboardInterrupt` excepted.

    Args:
        function: the plain function.
        spec: the task's interface.
        inputs: parameter name -> tree; each is decoded anew, so that the task can't change anybody else's value.
        values: decodes inputs and encodes the result.
        tee: let what the task prints through to the terminal too.
        interruptible: whether `KeyboardInterrupt` may be Ctrl-C and goes on; else it is the task's own failure.
        place: (run or cache key, node, index), by which a later attempt finds the checkpoint of this one.

    Returns:
        The result; its `log` is complete only inside `capture.routed`.
    """
    log = Log(tee=tee, place=place, values=values)
    tracked = NOTHING
    began = monotonic()
    output: Json = None
    failed: BaseException | None = None
    with capturing(log):
        try:
            output = _call(function, spec, inputs, values)
        except BaseException as exception:  # a task may raise anything, `SystemExit` included
            if interruptible and isinstance(exception, KeyboardInterrupt):
                if log.checkpoint is not None:
                    log.checkpoint.leave(False)  # the next run in this process is to find it
                raise
            failed = exception
        finally:
            log.ended = True
        if log.recorder is not None or log.checkpoint is not None:
            tracked, failed = _tracked(log, failed)
    seconds = monotonic() - began
    written = redacted(log.content())
    if failed is None:
        return AttemptResult("succeeded", output, None, None, seconds, written, tracked)
    return AttemptResult("failed", None, describe_failure(failed), failed, seconds, written, tracked)


def _tracked(log: Log, failed: BaseException | None) -> tuple[Tracked, BaseException | None]:
    """What the task logged, and what the attempt failed with: if the task didn't, keeping what it logged may have."""
    try:
        checkpoint = log.checkpoint.leave(failed is None) if log.checkpoint is not None else ""
        return (log.recorder.finish(checkpoint) if log.recorder is not None else Tracked(checkpoint=checkpoint)), failed
    except Exception as problem:  # noqa: BLE001  # the store: full, gone
        log.write(f"what the task logged can't be kept: {problem}\n".encode())
        return NOTHING, failed if failed is not None else problem


def _call(function: Callable[..., Any], spec: TaskSpec, inputs: Mapping[str, Json], values: Any) -> Json:
    given = decoded_inputs(spec, inputs, values)
    if spec.container is not None:
        from drawloom.runtimes.containers import run_container

        return encoded_result(spec, run_container(spec, given), values)
    code = getattr(function, "__code__", None)
    if code is not None and code.co_posonlyargcount:
        first = code.co_varnames[: code.co_posonlyargcount]
        result = function(*[given.pop(name) for name in first if name in given], **given)
    else:
        result = function(**given)
    return encoded_result(spec, result, values)


def decoded_inputs(spec: TaskSpec, inputs: Mapping[str, Json], values: Any) -> dict[str, Any]:
    """The values of a task's inputs, each decoded anew.

    Raises:
        ValueRefused: R521, one isn't of the declared type.
    """
    conform = _conform or _load_conform()
    given = {name: values.decode(tree) for name, tree in inputs.items()}
    for port in spec.inputs:
        problem = conform(given[port.name], port.type) if port.name in given else None
        if problem is not None:  # only where the edge's own type was not known: `Any`, or a part of a plain `dict`
            raise ValueRefused(
                Diagnostic(
                    "R521",
                    f"input `{port.name}` of task `{spec.name}` needs {port.type}: {problem}",
                    None,
                    "make the task before it return what this one needs, and annotate what it returns",
                )
            )
    return given


def encoded_result(spec: TaskSpec, result: Any, values: Any) -> Json:
    """The tree of what a task returned.

    Raises:
        ValueRefused: R520, it isn't of the declared type; or it can't be kept.
    """
    conform = _conform or _load_conform()
    problem = conform(result, spec.result)
    if problem is not None:
        raise ValueRefused(
            Diagnostic(
                "R520",
                f"task `{spec.name}` is declared to return {spec.result}: {problem}",
                None,
                "make the function return what its annotation says, or correct the annotation",
            )
        )
    return values.encode(result, spec.result, what=f"what task `{spec.name}` returned")


_conform: Callable[[Any, Any], str | None] | None = None


def _load_conform() -> Callable[[Any, Any], str | None]:
    # loaded late: conformance knows many types, and a task without values needs none of them
    global _conform
    from drawloom.values.conform import conform

    _conform = conform
    return conform


def redacted(log: bytes) -> bytes:
    """`log` without the secrets this process has revealed."""
    if not log:
        return log
    from drawloom.values.secret import redact

    text = log.decode("utf-8", "surrogateescape")
    clean: bytes = redact(text).encode("utf-8", "surrogateescape")
    return clean


def reveal_secrets(tree: Json) -> None:
    """Makes `redact` know each secret a tree names, as far as it is set in this process too."""
    if isinstance(tree, list):
        for item in tree:
            reveal_secrets(item)
    elif isinstance(tree, dict):
        if tree["$"] == "secret":
            from drawloom.values.secret import Secret

            with contextlib.suppress(ValueRefused):
                Secret(tree["name"]).reveal()
        reveal_secrets(tree.get("v"))


def describe_failure(exception: BaseException) -> FailureInfo:
    """What is kept of an exception: names, texts, plain arguments; no secrets, no frames of drawloom's."""
    from drawloom.values.secret import redact

    bases = tuple(class_ref(c) for c in type(exception).__mro__ if c is not object)
    return FailureInfo(
        type=bases[0],
        message=redact(_text(exception)),
        bases=bases,
        traceback=redact(_traceback(exception)),
        arguments=_arguments(exception, redact),
    )


def _text(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as broken:  # noqa: BLE001  # a user's `__str__` may raise too
        return f"<its text can't be had: {type(broken).__name__}>"


def _traceback(exception: BaseException) -> str:
    import traceback  # only a failure pays for it

    try:
        told = traceback.TracebackException.from_exception(exception)
    except Exception as broken:  # noqa: BLE001  # it calls the user's `__str__` too
        return f"<the traceback can't be had: {type(broken).__name__}>"
    seen: set[int] = set()
    waiting: list[Any] = [told]
    while waiting:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        kept = [frame for frame in part.stack if not frame.filename.startswith(_DRAWLOOM)]
        part.stack = traceback.StackSummary.from_list(kept)
        waiting += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]
    return "".join(told.format())


def _arguments(exception: BaseException, redact: Callable[[str], str]) -> Json:
    from drawloom.ir.envelope import NotEncodable, encode

    # drawloom's own are made from diagnostics, of which `args` has only the text
    given = [tuple(exception.diagnostics)] if isinstance(exception, DrawloomError) else list(exception.args)
    try:
        tree = _redacted_tree(encode(given), redact)
        return tree if len(canonical_json(tree)) <= _ARGUMENTS_LIMIT_BYTES else None
    except (NotEncodable, ValueError, TypeError):
        return None


def _redacted_tree(tree: Json, redact: Callable[[str], str]) -> Json:
    if isinstance(tree, str):
        return redact(tree)
    if isinstance(tree, list):
        return [_redacted_tree(t, redact) for t in tree]
    if isinstance(tree, dict):
        return {key: _redacted_tree(t, redact) if key == "v" else t for key, t in tree.items()}
    return tree


def engine_failure(kind: str, message: str) -> FailureInfo:
    """A failure that is no exception of the task's: `kind` is `infra` or `timeout`."""
    return FailureInfo(type=kind, message=message, bases=_ENGINE_BASES[kind])
