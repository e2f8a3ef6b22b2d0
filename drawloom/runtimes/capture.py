"""Keeps what an attempt prints or logs apart from what its neighbours do, in one process with many threads.

`sys.stdout` and `sys.stderr` are replaced, while a run lasts, by streams that look at a context variable: inside an
attempt they write to that attempt's log, elsewhere to where they always went. Threads that a task starts itself have
their own context, so what they print goes to the terminal. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Log", "capturing", "current_log", "routed"]


class Log:
    """The bytes an attempt wrote, in order, and what else its code finds by the context variable.

    Args:
        tee: also let the bytes through to where they would have gone.
        place: (run or cache key, node, index) of the attempt, for `checkpoint`; () where that has none.
        values: encodes what is logged (`tracking`).

    Attributes:
        recorder: the `tracking.Recorder`, once something is logged.
        checkpoint: the `checkpoint.Folder`, once the task asks for one.
        ended: whether the attempt is over; threads it left behind may still be there.
    """

    __slots__ = ("_parts", "checkpoint", "ended", "place", "recorder", "tee", "values", "write")

    def __init__(self, *, tee: bool = False, place: tuple[Any, ...] = (), values: Any = None) -> None:
        self.tee = tee
        self.place = place
        self.values = values
        self.recorder: Any = None  # of a module that only tasks that log load
        self.checkpoint: Any = None
        self.ended = False
        self._parts: list[bytes] = []
        self.write = self._parts.append  # atomic: no lock

    def content(self) -> bytes:
        """All that was written."""
        return b"".join(self._parts) if self._parts else b""


_CURRENT: ContextVar[Log | None] = ContextVar("drawloom_log", default=None)


def current_log() -> Log | None:
    """The log of the attempt this is called in, None outside of any."""
    return _CURRENT.get()


def _shown(text: str) -> str:
    """What a task writes, as the terminal may have it: without the secrets this process has revealed.

    One that is written in several pieces isn't found; the log, which is kept, is looked through as a whole.
    """
    secret = sys.modules.get("drawloom.values.secret")  # nothing is revealed where nobody has loaded it
    return text if secret is None else str(secret.redact(text))


class _RoutedBytes:
    """`sys.stdout.buffer` of a routed stream."""

    def __init__(self, stream: Any) -> None:  # any text stream
        self._stream = stream

    def write(self, data: Any) -> int:  # any bytes-like object
        log = _CURRENT.get()
        if log is not None:
            log.write(bytes(data))
            if not log.tee:
                return len(data)
            text = bytes(data).decode("utf-8", "surrogateescape")
            self._stream.buffer.write(_shown(text).encode("utf-8", "surrogateescape"))
            return len(data)
        written: int = self._stream.buffer.write(data)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.buffer, name)


class _Routed:
    """A text stream that writes to the current attempt's log, or to `stream` where there is none."""

    def __init__(self, stream: Any) -> None:  # any text stream, or None (pythonw, a closed descriptor)
        self._stream = stream
        self.buffer = _RoutedBytes(stream)

    def write(self, text: str) -> int:
        log = _CURRENT.get()
        if log is not None:
            log.write(text.encode("utf-8", "backslashreplace"))
            if not log.tee:
                return len(text)
        if self._stream is not None:
            self._stream.write(text if log is None else _shown(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def close(self) -> None:
        """Does nothing: a task that closes its output must not close everybody's."""

    def isatty(self) -> bool:
        return _CURRENT.get() is None and self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_LOCK = threading.Lock()
_USERS = 0  # runs that need the routing now; the last one to leave puts the streams back
_STREAMS: dict[str, _Routed] = {}
_TAKEN: set[str] = set()  # streams that a task replaced and left replaced
_HANDLERS: list[Any] = []  # the logging handler, once there is one


@contextmanager
def routed() -> Iterator[None]:
    """Routes `sys.stdout`, `sys.stderr` and `logging` while the block runs; blocks may overlap in any way."""
    global _USERS
    with _LOCK:
        _USERS += 1
        for name in ("stdout", "stderr"):
            # somebody may have put another stream there since an earlier block, still open, put ours
            if not isinstance(getattr(sys, name), _Routed):
                _STREAMS[name] = _Routed(getattr(sys, name))
                setattr(sys, name, _STREAMS[name])
    try:
        yield
    finally:
        with _LOCK:
            _USERS -= 1
            if not _USERS:
                _put_back()


def _put_back() -> None:
    for name, stream in _STREAMS.items():
        # else somebody outside replaced it meanwhile, and it is theirs to put back
        if getattr(sys, name) is stream or name in _TAKEN:
            setattr(sys, name, stream._stream)
    _STREAMS.clear()
    _TAKEN.clear()
    for handler in _HANDLERS:
        sys.modules["logging"].getLogger().removeHandler(handler)
    _HANDLERS.clear()


class capturing:  # noqa: N801  # reads as the function it was; a generator would cost as much as a small task
    """Sends what the current thread prints and logs to `log` while the block runs, inside `routed`."""

    __slots__ = ("_log", "_streams", "_token")

    def __init__(self, log: Log) -> None:
        self._log = log

    def __enter__(self) -> Log:
        if "logging" in sys.modules and not _HANDLERS:
            _route_logging()
        self._token = _CURRENT.set(self._log)
        self._streams = (sys.stdout, sys.stderr)
        return self._log

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)
        out, err = self._streams
        if sys.stdout is not out and _STREAMS.get("stdout") is out:
            _TAKEN.add("stdout")
        if sys.stderr is not err and _STREAMS.get("stderr") is err:
            _TAKEN.add("stderr")


def _route_logging() -> None:
    import logging  # it is loaded already: who never logs never pays for it

    class RoutedHandler(logging.Handler):
        """Writes records to the current attempt's log, as `logging.basicConfig` would print them."""

        def emit(self, record: logging.LogRecord) -> None:
            handlers = [h for h in logging.getLogger().handlers if h is not self]
            if _CURRENT.get() is None:
                if not handlers and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
                    logging.lastResort.handle(record)  # as if this handler weren't there
                return
            if any(getattr(h, "stream", None) in _STREAMS.values() for h in handlers):
                return  # that handler writes to a routed stream itself
            _STREAMS["stderr"].write(self.format(record) + "\n")

    with _LOCK:
        if _HANDLERS or not _USERS:
            return
        handler = RoutedHandler()
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        logging.getLogger().addHandler(handler)
        _HANDLERS.append(handler)
