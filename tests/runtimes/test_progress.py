"""What a run tells of itself while it goes on is readable, complete where it matters, and cheap."""

import io
import re
import threading
import time
from collections import deque

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, out

from drawloom import branch, for_each, pipeline, run, task, try_, while_loop
from drawloom.catalog.records import FailureInfo
from drawloom.display.formats import cells
from drawloom.ir.policies import Policies, RetryPolicy
from drawloom.runtimes.local import run_local
from drawloom.runtimes.progress import choose_progress
from drawloom.runtimes.progress_frame import Frame
from drawloom.runtimes.progress_lines import LinesProgress
from drawloom.runtimes.progress_live import LiveProgress
from drawloom.runtimes.tally import Tally

HOSTILE = 'no "luck"\n\x1b[31m{{ 3 }} 🎲\x00'
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@task
def load(n: int) -> list[int]:
    return list(range(n))


@task
def work(n: int) -> int:
    print("item", n)
    if n % 100 == 7:
        raise ValueError(HOSTILE)
    return n


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def below(n: int) -> bool:
    return n < 3


@task
def add_one(n: int) -> int:
    return n + 1


@task
def broken(n: int) -> int:
    for line in range(15):
        print("line", line)
    raise KeyError(HOSTILE)


@pipeline
def fans(n: int) -> int:
    items = load(n)
    return total(for_each(items, work))


@pipeline
def decides(n: int) -> int:
    return branch(below(n), lambda: add_one(n), lambda: total(for_each(load(n), work)))


@pipeline
def loops(n: int) -> int:
    return while_loop(below, add_one, n, max_iterations=10)


@pipeline
def tries(n: int) -> int:
    return try_(lambda: add_one(n), {ValueError: lambda failure: add_one(n)})


@pipeline
def breaks(n: int = 1) -> int:
    return add_one(broken(n))


def told(catalog, tmp_path, progress, nap=0.0):
    sheet = Sheet("flow")
    naps = [sheet.call("naps", tasks.sleep, seconds=nap)] if nap else []
    policies = Policies(retry=RetryPolicy(2))
    program = sheet.program(
        *naps,
        sheet.call("talks", tasks.talk_below, word="hello"),
        sheet.call("risky", tasks.lucky_at, path=str(tmp_path / "tries"), attempt=2, policies=policies),
        sheet.call("bad", tasks.fails, n=1, after=("talks", "risky")),
        sheet.call("behind", tasks.double, n=out("bad")),
    )
    return run_local(program, sheet.functions, {}, catalog, executor="processes", workers=1, progress=progress)


def test_plain_lines_where_nobody_looks(catalog, tmp_path):
    stream = io.StringIO()
    progress = choose_progress(stream)
    assert type(progress) is LinesProgress
    ran = told(catalog, tmp_path, progress)
    lines = [re.sub(r"\d+\.\d+ s", "0.0 s", line) for line in stream.getvalue().splitlines()]
    assert lines[0] == f"run {ran.id} of flow: 4 nodes"
    end = lines.index("bad failed: Unlucky: no luck with 1")
    assert sorted(lines[1:end]) == [
        "bad: failed: Unlucky: no luck with 1",
        "behind: skipped",
        "risky: attempt 1 failed, trying again: Unlucky: not yet",
        "risky: succeeded in 0.0 s",
        "talks | child hello",
        "talks | raw hello",
        "talks: succeeded in 0.0 s",
    ]
    assert re.fullmatch(r"  where  .*sample_tasks.py:\d+, in fails", lines[end + 1])
    assert lines[end + 2 : -1] == [
        f"  next   drawloom logs {ran.id} bad    all its output and its traceback",
        f"         drawloom debug {ran.id} bad    that node again, here, with the same inputs",
        f"         drawloom resume {ran.id}    what is left, once the cause is gone",
    ]
    assert lines[-1] == "failed in 0.0 s (2 succeeded, 1 failed, 1 skipped)"


def test_rows_stay_in_a_terminal(catalog, tmp_path):
    stream = Terminal()
    progress = choose_progress(stream)
    assert type(progress) is LiveProgress
    told(catalog, tmp_path, progress, nap=0.7)
    text = stream.getvalue()
    assert "flow running: " in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    end = ANSI.sub("", text[text.rindex("\x1b[?25h") :]).splitlines()
    rows = [" ".join(re.sub(r"\d+\.\d+ s", "", line).split()) for line in end]
    assert "✓ talks succeeded" in rows
    assert "✓ risky succeeded 1 retry" in rows
    assert "✗ bad failed" in rows
    assert "- behind skipped" in rows
    assert "bad failed: Unlucky: no luck with 1" in rows
    assert "talks | child hello" in ANSI.sub("", text)


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    assert type(choose_progress(Terminal())) is LinesProgress


def test_many_items_are_few_lines_but_each_failure_is_told(catalog):
    stream = io.StringIO()
    ran = run(fans, {"n": 1000}, catalog=catalog, fail_fast=False, progress=LinesProgress(stream))
    assert ran.state == "failed"
    lines = stream.getvalue().splitlines()
    failures = [line for line in lines if ": failed: " in line]
    assert len(failures) == 10
    assert 'for_each/work[7]: failed: ValueError: no "luck" \\x1b[31m{{ 3 }} 🎲\\x00' in failures
    assert sum(line.startswith("for_each/work[") and " | " in line for line in lines) == 20
    assert sum("isn't shown here: drawloom logs" in line for line in lines) == 1
    assert len(lines) < 70
    [final] = [line for line in lines if line.startswith("for_each/work: failed in ")]
    assert final.endswith("(990 succeeded, 10 failed)")
    assert "total: skipped" in lines
    assert "\x1b" not in stream.getvalue()


def test_a_map_is_told_once_a_second_while_it_goes_on():
    stream = io.StringIO()
    progress = LinesProgress(stream)
    progress.tally = Tally(fans.graph.pipeline, 0.0)
    progress.begun("r", fans.graph.pipeline)
    try:
        for now in (0.5, 1.5, 1.7, 2.9):
            progress._events.append((Tally.decided, "for_each", (), 1000 if now == 0.5 else 0))
            progress._events.append((Tally.finished, "for_each/work", (0,), 0.1, b""))
            progress.began = 0.0
            progress.show(progress.tally, progress.tally.take(progress._events, now), now, "")
    finally:
        progress.close()
    assert [line for line in stream.getvalue().splitlines() if "for_each" in line] == [
        "for_each/work: 2 of 1,000 done",
        "for_each/work: 4 of 1,000 done",
    ]


def test_of_a_run_that_was_cleared_what_was_told_before_is_not_counted():
    stream = io.StringIO()
    progress = LinesProgress(stream)
    progress.pause_seconds = 60.0
    progress.begun("r", fans.graph.pipeline)
    progress.decided("for_each", (), 2)
    progress.failed("for_each/work", (0,), FailureInfo("ValueError", "before"), b"")
    progress.finished("for_each/work", (1,), 0.1, b"")
    progress._look("")
    progress.skipped("total", ())
    progress.begun("r", fans.graph.pipeline)
    progress.decided("for_each", (), 2)
    progress.finished("for_each/work", (0,), 0.1, b"")
    progress.finished("for_each/work", (1,), 0.1, b"")
    progress.ended("succeeded", None)
    told = [line.partition(" in ")[0] for line in stream.getvalue().splitlines()]
    assert told[-3:] == ["the run was cleared, and goes on anew", "for_each/work: succeeded", "succeeded"]
    assert stream.getvalue().endswith("(2 succeeded)\n")
    assert stream.getvalue().count("ValueError: before") == 1


def rows_of(made, catalog, **params):
    stream = Terminal()
    progress = LiveProgress(stream)
    run(made, params, catalog=catalog, progress=progress)
    return {row.node: row for row in progress.tally.rows.values()}


def test_arms_that_were_not_taken_are_skipped(catalog):
    rows = rows_of(decides, catalog, n=1)
    states = {node.rpartition("/")[2]: row.state for node, row in rows.items()}
    assert states == {
        "below": "succeeded",
        "add_one": "succeeded",
        "load": "skipped",
        "work": "skipped",
        "total": "skipped",
    }


def test_the_iterations_of_a_loop_are_counted(catalog):
    rows = rows_of(loops, catalog, n=0)
    assert {node.rpartition("/")[2]: row.counts() for node, row in rows.items()} == {
        "below": {"succeeded": 4},
        "add_one": {"succeeded": 3},
    }


def test_a_handler_that_was_not_needed_is_skipped(catalog):
    assert [row.state for row in rows_of(tries, catalog, n=1).values()] == ["succeeded", "skipped"]


def test_an_empty_map_is_done(catalog):
    rows = rows_of(fans, catalog, n=0)
    assert rows["for_each/work"].state == "succeeded"
    assert (rows["for_each/work"].done, rows["for_each/work"].total) == (0, 0)


def test_cached_items_are_told_from_executed_ones(catalog):
    run(fans, {"n": 5}, catalog=catalog)
    rows = rows_of(fans, catalog, n=7)
    assert rows["for_each/work"].counts() == {"succeeded": 2, "cached": 5}
    assert rows["items"].state == "succeeded"


def big(calls):
    """A pipeline of so many calls."""

    @pipeline
    def made(n: int) -> int:
        for _ in range(calls):
            n = add_one(n)
        return n

    return made.graph.pipeline


def drawn(tally, width, height, outcome="", unicode=True):
    frame = Frame(unicode=unicode).lines(tally, "made", 12.3, 20.0, width, height, outcome)
    return ["".join(text for text, _ in line) for line in frame]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_thousand_calls_fit_a_terminal(width):
    graph = big(1000)
    ids = [node.id for node in graph.body.nodes]
    tally = Tally(graph, 0.0)
    events = [(Tally.finished, node, (), 0.5, b"") for node in ids[:500]]
    events += [(Tally.failed_for_good, ids[100], (), FailureInfo("builtins:ValueError", HOSTILE), b"")]
    events += [(Tally.started, node) for node in ids[500:503]]
    tally.take(deque(events), 10.0)
    lines = drawn(tally, width, 24)
    assert len(lines) <= 24
    assert all(cells(line) < width for line in lines)
    text = "\n".join(lines)
    assert sum(" running " in line for line in lines[:-1]) == 3
    assert f"✗ {ids[100]}" in text
    assert f"· {ids[503]}" in text
    if width >= 80:
        assert lines[-1] == "made running: 500/1,000 calls, 3 running, 1 failed, 12.3 s"


@pytest.mark.parametrize("width", [80, 200])
def test_a_hundred_thousand_items_are_one_row(width):
    tally = Tally(fans.graph.pipeline, 0.0)
    events = deque([(Tally.decided, "for_each", (), 100_000)])
    events.extend((Tally.finished, "for_each/work", (k,), 0.1, b"") for k in range(37_000))
    events.extend((Tally.started, "for_each/work") for _ in range(8))
    tally.take(events, 10.0)
    lines = drawn(tally, width, 24)
    [row] = [line for line in lines if "for_each/work" in line]
    assert "37,000/100,000" in row
    assert "8 running" in row
    assert cells(row) < width


def test_long_and_wide_names_are_cut_to_the_terminal():
    name = "数据" * 60

    class Named:
        rows = Tally(fans.graph.pipeline, 0.0).rows

    next(iter(Named.rows.values())).node = name
    for width in (30, 80, 200):
        assert all(cells(line) < width for line in drawn(Named, width, 24))


def test_only_ascii_where_the_terminal_knows_no_more():
    tally = Tally(fans.graph.pipeline, 0.0)
    assert all(line.isascii() for line in drawn(tally, 80, 24, unicode=False))


def test_of_many_calls_those_that_failed_or_took_longest_stay():
    graph = big(1000)
    ids = [node.id for node in graph.body.nodes]
    tally = Tally(graph, 0.0)
    events = deque((Tally.finished, node, (), 9.0 if node == ids[700] else 0.5, b"") for node in ids[:999])
    events.append((Tally.failed_for_good, ids[999], (), FailureInfo("builtins:ValueError", HOSTILE), b""))
    tally.take(events, 10.0)
    lines = drawn(tally, 80, 24, "failed")
    assert len(lines) < 24
    assert any(line.startswith(f"✗ {ids[999]}") for line in lines)
    assert any(line.startswith(f"✓ {ids[700]}") for line in lines)
    assert lines[-1] == "  984 calls more, these failed or took longest"


def test_a_callback_costs_about_a_microsecond():
    progress = LinesProgress(io.StringIO())  # it never begins: nobody takes events away meanwhile
    best = 1.0
    for _ in range(50):
        began = time.perf_counter()
        for _ in range(500):
            progress.started("node", (3,), 1)
            progress.finished("node", (3,), 0.0, b"")
        best = min(best, (time.perf_counter() - began) / 1000)
        progress._events.clear()
    assert best < 2e-6


def test_events_from_many_threads_are_all_counted():
    progress = LinesProgress(io.StringIO())
    progress.begun("r", fans.graph.pipeline)
    progress.decided("for_each", (), 8000)

    def tell(part):
        for k in range(1000):
            progress.started("for_each/work", (k,), 1)
            progress.finished("for_each/work", (part * 1000 + k,), 0.0, b"")

    threads = [threading.Thread(target=tell, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.ended("succeeded", None)
    row = progress.tally.rows["for_each/work"]
    assert (row.done, row.running, row.complete) == (8000, 0, True)


def test_a_stream_that_breaks_does_not_end_a_run(catalog):
    class Broken(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    from drawloom.cli.output import tolerant

    ran = run(fans, {"n": 3}, catalog=catalog, progress=LinesProgress(tolerant(Broken())))
    assert ran.result == 3


def test_what_failed_is_not_told_twice_where_the_caller_tells_it(catalog):
    stream = io.StringIO()
    run(breaks, {}, catalog=catalog, progress=LinesProgress(stream, summary=False))
    assert stream.getvalue().count("KeyError") == 1
    assert "line 14" not in stream.getvalue()
    assert " in 0." not in stream.getvalue().splitlines()[-1]


def test_a_failure_shows_the_end_of_its_log_and_what_to_do(catalog):
    stream = io.StringIO()
    ran = run(breaks, {}, catalog=catalog, progress=LinesProgress(stream))
    lines = stream.getvalue().splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("broken failed: KeyError: "))
    assert lines[start + 2] == "  log    ... 5 lines before"
    assert lines[start + 12] == "         line 14"
    assert lines[start + 13] == f"  next   drawloom logs {ran.id} broken    all its output and its traceback"
