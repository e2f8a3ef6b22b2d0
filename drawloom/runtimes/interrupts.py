"""Ctrl-C, SIGTERM and a closed terminal during a run: the first asks it to end well, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

__all__ = ["interrupts"]

# what each does where nobody has chosen otherwise; SIGTERM is how a scheduler of machines asks a process to end, SIGHUP
# how a terminal that is closed does (under `nohup` it is ignored, and stays so)
_DEFAULTS: Final = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}


@contextmanager
def interrupts(first: Callable[[], None]) -> Iterator[None]:
    """Calls `first` at the first SIGINT, SIGTERM or SIGHUP while the block runs; the next one does what it did before.

    Only where Python delivers signals, in the main thread, and only those signals that nobody else handles or ignores.
    The handlers that were there are put back at the end.

    Args:
        first: called in the signal handler: it may put into a `SimpleQueue`, or raise.
    """
    before: dict[signal.Signals, Any] = {}  # Any: a handler is a function or a number
    if threading.current_thread() is threading.main_thread():
        before = {number: usual for number, usual in _DEFAULTS.items() if signal.getsignal(number) is usual}

    def put_back() -> None:
        for number, usual in before.items():
            signal.signal(number, usual)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        for number, usual in before.items():
            # a closed terminal says so twice: through the shell, and when the shell has ended
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else usual)
        first()

    for number in before:
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        put_back()
