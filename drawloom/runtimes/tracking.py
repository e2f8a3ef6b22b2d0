"""`log_metric`, `log_artifact`, `log_figure`: what a task tells besides what it returns, without a context argument.

The attempt is found by a context variable: from the task itself, from the functions it calls, and from threads it
starts with a copy of its context. What is logged becomes part of the attempt's record. Outside an attempt it goes to
the recorder of `drawloom.testing`, if one is at work, else to the logger `drawloom.tracking`. Standard library alone:
a step loads this module.
"""

from __future__ import annotations

import os
import sys
from threading import Lock
from typing import Any, Final, Protocol

from drawloom.catalog.series import SeriesWriter
from drawloom.errors import DefinitionError, Diagnostic, ValueRefused
from drawloom.runtimes.capture import Log, current_log
from drawloom.runtimes.tracked import Tracked
from drawloom.values.ref import ValueRef

__all__ = [
    "Listener",
    "Recorder",
    "active_log",
    "check_name",
    "listen",
    "log_artifact",
    "log_figure",
    "log_metric",
    "told_outside",
    "unlisten",
]

# Any: a metric is whatever has a float in it, an artifact any value a codec knows

_MOST_METRICS: Final = 10_000  # names an attempt may use: they all stand in its record
_MOST_ARTIFACTS: Final = 1_000
_LONGEST_NAME: Final = 250


class Listener(Protocol):
    """What hears of values that are logged outside an attempt."""

    def metric(self, name: str, value: float, step: int | None) -> None: ...

    def artifact(self, name: str, value: Any) -> None: ...


def log_metric(name: str, value: Any, step: int | None = None) -> None:
    """Keep a number that tells how a task is doing: a loss, a score, a count.

    The last value of each name stands with the node (`drawloom show`, `Run.metrics`); where there are several, all of
    them are kept (`Run.series`). Outside a task nothing is kept; the number goes to the log `drawloom.tracking`.

    Args:
        name: what it is called; up to 250 characters, none of them a control character.
        value: a number, NaN and infinities included: whatever `float` makes a float of, texts left out.
        step: where in the task's progress it belongs (an epoch); the number of values of this name so far, if left out.

    Raises:
        ValueRefused: D131, the name can't be one; D132, the value is no number; D133, the step is no whole number;
            D135, an attempt logs too many different names; D136, the attempt is over, or goes on in another process.
        DefinitionError: D130, in a pipeline that is being traced.
    """
    number = value if type(value) is float else _number(name, value)
    if step is not None and type(step) is not int:
        step = _step(name, step)
    log = active_log()
    if log is not None:
        (log.recorder or _recorder(log)).metric(name, number, step)
        return
    check_name(name)
    told_outside("log_metric", f"metric {name} = {number!r}{f' at step {step}' if step is not None else ''}")
    for listener in _LISTENERS:
        listener.metric(name, number, step)


def log_artifact(name: str, value: Any) -> None:
    """Keep a value besides the task's result: a table that was looked at, a report, a file.

    It is stored and versioned as a result is, under `<pipeline>/<node>:<name>`; a later value of the same name in the
    same attempt takes its place. It is kept as it is now: what the task does to it afterwards doesn't count. Outside a
    task nothing is kept.

    Args:
        name: as for `log_metric`.
        value: any value a task can return without naming a codec.

    Raises:
        ValueRefused: D131, D135, D136, as for `log_metric`; V301 to V312, the value can't be kept.
        StoreError: the store can't be written.
        DefinitionError: D130, in a pipeline that is being traced.
    """
    log = active_log()
    check_name(name)
    if log is not None:
        (log.recorder or _recorder(log)).artifact(name, value)
        return
    told_outside("log_artifact", f"artifact {name}: {type(value).__qualname__}")
    for listener in _LISTENERS:
        listener.artifact(name, value)


def log_figure(name: str, figure: Any) -> None:
    """Keep a picture: as `log_artifact`, for what can be drawn.

    Args:
        name: as for `log_metric`.
        figure: a matplotlib figure, what belongs to one (`Axes`, a seaborn grid), a `Picture`, or the bytes of a PNG.

    Raises:
        ValueRefused: D134, it is no picture; else as `log_artifact`.
        StoreError, DefinitionError: as `log_artifact`.
    """
    from drawloom.values.figure import Picture

    drawn = Picture(bytes(figure)) if isinstance(figure, (bytes, bytearray)) else _figure_of(figure)
    if drawn is None:
        raise ValueRefused(
            Diagnostic(
                "D134",
                f"log_figure({name!r:.80}, ...) is given a {type(figure).__qualname__}, which is no picture",
                None,
                "pass a matplotlib figure or the bytes of a PNG file; `log_artifact` takes every other value",
            )
        )
    log_artifact(name, drawn)


def _figure_of(value: Any) -> Any:
    for candidate in (value, getattr(value, "figure", None)):
        if any(c.__module__ in ("matplotlib.figure", "drawloom.values.figure") for c in type(candidate).__mro__):
            return candidate
    return None


# what is given


def check_name(name: object) -> None:
    """Refuses (D131) what can't be the name of something logged."""
    problem = ""
    if not isinstance(name, str):
        problem = "it is no str"
    elif not name or name != name.strip():
        problem = "it is empty" if not name.strip() else "it begins or ends with white space"
    elif len(name) > _LONGEST_NAME:
        problem = f"it has {len(name)} characters, and at most {_LONGEST_NAME} are kept"
    elif not name.isprintable():
        problem = "it has a character that can't be printed"
    if problem:
        fix = "choose a short name, such as `loss` or `valid/auc`"
        raise ValueRefused(Diagnostic("D131", f"{name!r:.120} can't be a name: {problem}", None, fix))


def _number(name: str, value: Any) -> float:
    try:
        if not isinstance(value, (str, bytes, bytearray)) and getattr(value, "ndim", 0) == 0:
            return float(value)
        why = "is no number"
    except OverflowError:
        why = "is too large for a float"
    except (TypeError, ValueError):
        why = "is no number"
    what = f"the metric {name!r:.80} is given {type(value).__qualname__} {_short(value)}, which {why}"
    raise ValueRefused(
        Diagnostic("D132", what, None, "log one number at a time; `log_artifact` keeps any other value exactly")
    ) from None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # a user's `__repr__` may raise anything
        return "..."
    return text if len(text) <= 60 else f"{text[:57]}..."


def _step(name: str, step: Any) -> int:
    try:
        made = step.__index__()  # numpy's integers, and bools
    except (AttributeError, TypeError):
        made = None
    if not isinstance(made, int):
        what = f"the step of the metric {name!r:.80} is {type(step).__qualname__} {_short(step)}, no whole number"
        raise ValueRefused(Diagnostic("D133", what, None, "pass an int, or leave the step out"))
    return made


# inside an attempt


class Recorder:
    """What one attempt logs; any of its threads may call it.

    Args:
        values: encodes artifacts, and has the objects they go to.
    """

    def __init__(self, values: Any) -> None:  # values.store.Values; a step decides when codecs are loaded
        self._values = values
        self._lock = Lock()
        self._metrics: dict[str, float] = {}
        self._series = SeriesWriter()
        self._logged: dict[str, ValueRef] = {}

    def metric(self, name: str, value: float, step: int | None) -> None:
        """Takes a value of a metric."""
        with self._lock:
            if name not in self._metrics:
                check_name(name)
                _refuse_more("metrics", len(self._metrics), _MOST_METRICS)
            try:
                self._series.add(name, value, step)
            except OverflowError:
                what = f"the step of the metric {name!r:.80} has more than 64 bits"
                raise ValueRefused(Diagnostic("D133", what, None, "count steps from 0")) from None
            self._metrics[name] = value

    def artifact(self, name: str, value: Any) -> None:
        """Stores a value."""
        tree = self._values.encode(value, what=f"artifact {name!r}")
        ref = self._values.ref(tree, _type_text(value))
        with self._lock:
            if name not in self._logged:
                _refuse_more("artifacts", len(self._logged), _MOST_ARTIFACTS)
            self._logged[name] = ref

    def finish(self, checkpoint: str) -> Tracked:
        """What was logged, its series in the store.

        Raises:
            StoreError, OSError: it can't be written.
        """
        with self._lock:
            series = self._series.finish(self._values.objects)
            return Tracked(tuple(self._metrics.items()), series, tuple(self._logged.items()), checkpoint)


def _refuse_more(what: str, count: int, most: int) -> None:
    if count >= most:
        told = f"one attempt logs more than {most} different {what}"
        fix = "log the values of one metric under one name, with `step=`; put many artifacts into one"
        raise ValueRefused(Diagnostic("D135", told, None, fix))


def _type_text(value: Any) -> str:
    cls = type(value)
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__.partition('.')[0]}."
    return f"{module}{cls.__qualname__}"


def _recorder(log: Log) -> Recorder:
    with _LOCK:  # two threads of one task may log first
        if log.recorder is None:
            log.recorder = Recorder(log.values)
        made: Recorder = log.recorder
        return made


_LOCK = Lock()
_inherited: Log | None = None  # in a forked child of a task: the attempt that goes on in the parent


def _forked() -> None:
    global _inherited, _LOCK
    _inherited, _LOCK = current_log(), Lock()


os.register_at_fork(after_in_child=_forked)


def active_log() -> Log | None:
    """The attempt this is called in, None outside of any.

    Raises:
        ValueRefused: D136, the attempt has ended, or goes on in the process this one was forked from.
    """
    log = current_log()
    if log is not None and (log.ended or log is _inherited):
        where = "after its attempt has ended" if log.ended else "in a process that the task has forked"
        fix = "wait for threads before the task returns, and let other processes hand their numbers back to it"
        raise ValueRefused(Diagnostic("D136", f"a task logs something {where}: nobody would keep it", None, fix))
    return log


# outside an attempt


_LISTENERS: list[Listener] = []
_told = False


def listen(listener: Listener) -> None:
    """Lets `listener` hear of what is logged outside attempts, until `unlisten`."""
    _LISTENERS.append(listener)


def unlisten(listener: Listener) -> None:
    """The end of `listen`."""
    _LISTENERS.remove(listener)


def told_outside(what: str, text: str) -> None:
    """Tells the log of what happens outside an attempt, unless somebody listens.

    Raises:
        DefinitionError: D130, a pipeline is being traced.
    """
    global _told
    tracing = sys.modules.get("drawloom.dsl.current")  # not imported: runtimes don't know the front end
    if tracing is not None and tracing.CURRENT.get() is not None:
        fix = "call it inside a @task: what stands in a pipeline happens once, when its graph is made"
        raise DefinitionError(Diagnostic("D130", f"{what} is called in a pipeline, outside of its tasks", None, fix))
    if _LISTENERS:
        return
    import logging  # only outside a task

    logger = logging.getLogger("drawloom.tracking")
    if not _told:
        _told = True
        logger.warning("%s is called outside a task: nothing is kept (told once; what is logged follows at INFO)", what)
    logger.info("%s", text)
