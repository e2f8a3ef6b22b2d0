"""Ctrl-C during a run: the first asks it to end in good order, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupts"]


@contextmanager
def interrupts(first: Callable[[], None]) -> Iterator[None]:
    """Calls `first` at the first SIGINT while the block runs; the next one raises `KeyboardInterrupt`, as before.

    Only where Python delivers signals, in the main thread, and only where nobody else handles or ignores SIGINT. The
    handler that was there is put back at the end.

    Args:
        first: called in the signal handler: it may put into a `SimpleQueue`, or raise.
    """
    before = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    if before is not signal.default_int_handler:
        yield
        return

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        first()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
