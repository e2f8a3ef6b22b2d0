"""Following a compiled program: order, booleans, counts, retries, and nothing else.

An entry of a sequence begins when the entries it comes after have ended: all of them `done`, unless it says
`finished`. It ends as `done`, `failed`, or, where it never began, `skipped`. What a step decided it has written into
its `--out` folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Final

from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.canonical import Json
from drawloom.ir.protocol import (
    BEGIN,
    COUNT,
    DONE,
    END,
    FAILED_FINAL,
    FAILED_RETRY,
    RUN,
    SKIPPED,
    TRUE_TEXT,
    arm_output,
    index_text,
    unwritten_text,
)
from drawloom.runtimes.engine_faults import Faults
from drawloom.runtimes.engine_process import Ended, Starter

__all__ = ["Follower", "Observe"]

Index = tuple[int, ...]
Observe = Callable[[str, Index, int, str, str], None]
_ALWAYS_LOST_RETRIES: Final = 2  # of begin and end, which run no code of the user's
_AT_ONCE: Final = 16  # items of a fan-out under way at once where the program sets no limit: each has a thread here


class Follower:
    """One run of a program.

    Args:
        starter: starts steps.
        where: the options every step is given first (`--store`, `--project`).
        faults: what goes wrong on purpose.
        observe: takes note of what no process lives to write: node, index, attempt, `lost` or `cancelled`, detail.

    Attributes:
        reference: the run's reference, once it has begun.
    """

    def __init__(self, starter: Starter, where: Sequence[str], faults: Faults, observe: Observe) -> None:
        self._starter = starter
        self._where = list(where)
        self._faults = faults
        self._observe = observe
        self._texts: dict[tuple[str, Index], dict[str, str]] = {}
        self._under_way: dict[tuple[str, tuple[Index, ...]], int] = {}  # to the number of the attempt
        self.reference = ""

    def begin(self, program: str, asked: str) -> None:
        """Starts the begin step.

        Raises:
            RunRefused: E717, it failed.
        """
        arguments = ["begin", *self._where, "--program", program, "--run", asked]
        ended = self._until_known(BEGIN, "-", _ALWAYS_LOST_RETRIES, lambda _: arguments)
        if ended.code != DONE:
            raise RunRefused(_not_begun(ended))
        self.reference = ended.texts[RUN]

    def cancelled(self) -> None:
        """Takes note of the steps that were under way when the starter was stopped."""
        for (step, at), attempt in sorted(self._under_way.copy().items()):
            self._note(step, at, attempt, "cancelled", "")

    def end(self) -> str:
        """Starts the end step."""
        return self._step({"id": END, "lost_retries": _ALWAYS_LOST_RETRIES}, [()])

    def follow(self, entries: Json, at: Sequence[Index] = ((),)) -> str:
        """Runs a sequence of entries at index vectors; returns `done` or `failed`."""
        waiting = list(entries)
        ended: dict[str, str] = {}
        answers: SimpleQueue[tuple[str, str | BaseException]] = SimpleQueue()
        running = 0
        while waiting or running:
            ready = [entry for entry in waiting if all(other in ended for other in entry.get("after", ()))]
            for entry in ready:
                waiting.remove(entry)
                if not entry.get("finished") and any(ended[other] != "done" for other in entry.get("after", ())):
                    ended[entry["id"]] = "skipped"
                    continue
                running += 1
                threading.Thread(target=self._answer, args=(entry, at, answers), daemon=True).start()
            if running:
                name, status = answers.get()
                running -= 1
                if isinstance(status, BaseException):
                    raise status
                ended[name] = status
            elif not ready and waiting:
                raise AssertionError(f"entries wait for what isn't there: {[entry['id'] for entry in waiting]}")
        return "done" if all(status == "done" for status in ended.values()) else "failed"

    def _answer(self, entry: Json, at: Sequence[Index], answers: SimpleQueue[tuple[str, str | BaseException]]) -> None:
        try:
            answers.put((entry["id"], self._entry(entry, at)))
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
            answers.put((entry["id"], error))

    def _entry(self, entry: Json, at: Sequence[Index]) -> str:
        match entry["do"]:
            case "run":
                return self._step(entry, at)
            case "group":
                return self.follow(entry["body"], at)
            case "when":
                chosen = self._text(entry["step"], at[0], entry["output"]) == TRUE_TEXT[True]
                return self.follow(entry["body"], at) if chosen else "done"
            case "each":
                return self._each(entry, at[0])
            case "while":
                return self._while(entry, at[0])
        raise AssertionError(f"no such entry: {entry['do']}")

    def _each(self, entry: Json, index: Index) -> str:
        number = int(self._text(entry["step"], index, COUNT))
        size = entry.get("batch_size", 1)
        batches = [[(*index, k) for k in range(start, min(start + size, number))] for start in range(0, number, size)]
        batches.reverse()
        statuses: list[str | BaseException] = []

        def work() -> None:
            while batches:
                try:
                    batch = batches.pop()
                except IndexError:  # another thread took the last one
                    return
                try:
                    statuses.append(self.follow(entry["body"], batch))
                except BaseException as error:  # noqa: BLE001  # raised again below
                    statuses.append(error)
                    batches.clear()

        threads = [threading.Thread(target=work, daemon=True) for _ in range(entry.get("parallelism") or _AT_ONCE)]
        threads = threads[: len(batches)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for status in statuses:
            if isinstance(status, BaseException):
                raise status
        return "done" if all(status == "done" for status in statuses) else "failed"

    def _while(self, entry: Json, index: Index) -> str:
        k = 0
        while True:
            here = (*index, k)
            if self.follow(entry["test"], [here]) != "done":
                return "failed"
            if self._text(entry["step"], here, arm_output(0)) != TRUE_TEXT[True]:
                return "done"
            if self.follow(entry["body"], [here]) != "done":
                return "failed"
            k += 1

    def _text(self, step: str, index: Index, name: str) -> str:
        return self._texts[step, index].get(name, unwritten_text(name))  # one that left without a word decided nothing

    # steps

    def _step(self, entry: Json, at: Sequence[Index]) -> str:
        step = entry["id"]
        indices = ";".join(index_text(index) for index in at)
        started = 0
        retries = entry.get("retries", 0)
        delay = entry.get("delay_seconds", 0.0)

        def arguments(number: int) -> list[str]:
            own = ["--run", self.reference, "--step", step, "--index", indices, "--attempt", str(started + number)]
            self._under_way[step, tuple(at)] = started + number
            return ["step", *self._where, *own]

        lost_retries = entry.get("lost_retries", 0)
        while True:
            lost: list[Ended] = []
            ended = self._until_known(step, indices, lost_retries, arguments, started, lost)
            lost_retries -= len(lost)
            started += len(lost) + 1
            for number, one in enumerate(lost, start=started - len(lost)):
                self._note(step, at, number, "lost", f"{one.how}\n{one.said}".strip())
            if ended.code != FAILED_RETRY or retries <= 0:
                break
            retries -= 1
            self._starter.pause(min(delay, entry.get("max_delay_seconds", 3600.0)))
            delay *= entry.get("factor", 1.0)
        del self._under_way[step, tuple(at)]
        self._texts[step, at[0]] = dict(ended.texts)
        return {DONE: "done", SKIPPED: "skipped"}.get(ended.code if ended.code is not None else -1, "failed")

    def _until_known(
        self,
        step: str,
        indices: str,
        lost_retries: int,
        arguments: Callable[[int], list[str]],
        started: int = 0,
        lost: list[Ended] | None = None,
    ) -> Ended:
        """Starts a step until one start says how it ended, or too many were lost."""
        allowed = max(0, lost_retries) + self._faults.lost_retries
        ended = Ended(None, {}, "", "it was never started")
        for number in range(1, allowed + 2):
            fate = self._faults.fate(step, indices, started + number, last=number == allowed + 1)
            ended = self._starter.start(arguments(number), fate)
            if ended.code in (DONE, FAILED_RETRY, FAILED_FINAL, SKIPPED):
                return ended
            if lost is not None:
                lost.append(ended)
        return replace(ended, code=None)

    def _note(self, step: str, at: Sequence[Index], attempt: int, event: str, detail: str) -> None:
        node = step.partition(":")[0]
        for index in at if node else ():
            self._observe(node, index, attempt, event, detail)


def _not_begun(ended: Ended) -> Diagnostic:
    what = "the run couldn't begin: the begin step "
    what += f"ended with exit status {ended.code}" if ended.code is not None else f"was lost: {ended.how}"
    said = ended.said.strip()
    if not said:
        fix = "see that the Python it is run with starts, that there is memory left, and run the program again"
        return Diagnostic("E717", f"{what}; it said nothing", None, fix)
    lines = "\n".join(f"    {line}" for line in said.splitlines())
    return Diagnostic("E717", f"{what}; it said\n{lines}", None, "mend what the begin step said, and run it again")
