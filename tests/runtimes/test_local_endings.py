"""How a local run ends: fail-fast, keep-going, Ctrl-C, a cache that answers, runs that can't start."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, const, out

from drawloom.catalog.catalog import Catalog
from drawloom.errors import RunFailed, RunRefused, Span
from drawloom.ir.nodes import Block, Call, Carry, Handler, Loop, Map, Port, Try
from drawloom.ir.operands import Apply, Carried, Item, Param, RunInfo
from drawloom.ir.policies import CachePolicy, Policies, RetryPolicy
from drawloom.ir.program import Program
from drawloom.ir.tasks import EngineSpec, FunctionRef, TaskSpec
from drawloom.runtimes.blocks import Frame
from drawloom.runtimes.local import run_local
from drawloom.runtimes.progress import SilentProgress

RESULT = (Port("result"),)


def states(run):
    return {node.id: node.state for node in run.nodes()}


def failing_pipeline(sheet, path):
    """A quick failure beside a slow node, with more behind the slow one."""
    slow = sheet.call("slow", tasks.sleep_and_append, seconds=0.5, path=path, line="slow")
    return (
        slow,
        sheet.call("bad", tasks.fails, n=1),
        sheet.call("behind_bad", tasks.double, n=out("bad")),
        sheet.call("behind_slow", tasks.echo, value=out("slow")),
    )


def test_fail_fast_lets_running_nodes_end_and_cancels_the_others(catalog, tmp_path):
    sheet = Sheet()
    run = run_local(sheet.program(*failing_pipeline(sheet, str(tmp_path / "log"))), sheet.functions, {}, catalog)
    assert states(run) == {"slow": "succeeded", "bad": "failed", "behind_bad": "skipped", "behind_slow": "cancelled"}
    assert (tmp_path / "log").read_text() == "slow\n"


def test_keep_going_does_all_that_does_not_depend_on_a_failure(catalog, tmp_path):
    sheet = Sheet()
    program = sheet.program(*failing_pipeline(sheet, str(tmp_path / "log")))
    run = run_local(program, sheet.functions, {}, catalog, fail_fast=False)
    assert states(run) == {"slow": "succeeded", "bad": "failed", "behind_bad": "skipped", "behind_slow": "succeeded"}


def test_fail_fast_starts_no_more_items_of_a_map(catalog):
    sheet = Sheet()
    body = Block((sheet.call("odd", tasks.fails_on_odd, n=Item("each")),), (("result", out("odd")),))
    program = sheet.program(Map("each", const(list(range(500))), body, RESULT))
    run = run_local(program, sheet.functions, {}, catalog, executor="inline")
    counts = next(n for n in run.nodes() if n.id == "odd").counts
    assert (counts["succeeded"], counts["failed"]) == (1, 1)
    assert run.state == "failed"


def test_fail_fast_waits_for_a_try_that_may_handle_the_failure(catalog):
    sheet = Sheet()
    body = Block((sheet.call("bad", tasks.fails, n=1), sheet.call("good", tasks.sleep, seconds=0.1)))
    handler = Handler(("sample_tasks:Unlucky",), Block((sheet.call("mend", tasks.one),)))
    program = sheet.program(Try("safe", body, (handler,)), sheet.call("next", tasks.one, after=("safe",)))
    run = run_local(program, sheet.functions, {}, catalog, workers=1)
    assert states(run) == {
        "safe": "succeeded",
        "bad": "failed",
        "good": "succeeded",
        "mend": "succeeded",
        "next": "succeeded",
    }


def test_fail_fast_still_runs_the_final_block_of_a_try_that_began(catalog, tmp_path):
    sheet = Sheet()
    log = str(tmp_path / "log")
    slow = sheet.call("slow", tasks.sleep, seconds=0.3)
    inside = Block((slow, sheet.call("more", tasks.echo, value=out("slow"))))
    final = Block((sheet.call("clean", tasks.append, path=log, line="clean", effect=True),))
    program = sheet.program(Try("tidy", inside, (), final), sheet.call("bad", tasks.fails, n=1))
    run = run_local(program, sheet.functions, {}, catalog)
    assert (run.state, states(run)["more"], states(run)["clean"]) == ("failed", "cancelled", "succeeded")
    assert (tmp_path / "log").read_text() == "clean\n"


def test_fail_fast_forgets_attempts_that_were_to_be_made_again(catalog, tmp_path):
    sheet = Sheet()
    later = Policies(retry=RetryPolicy(2, delay_seconds=60))
    waits = sheet.call("waits", tasks.fails, n=1, policies=later)
    bad = sheet.call("bad", tasks.fails, n=2, after=("slow",))
    program = sheet.program(waits, sheet.call("slow", tasks.sleep, seconds=0.2), bad)
    began = time.monotonic()
    run = run_local(program, sheet.functions, {}, catalog)
    assert time.monotonic() - began < 10
    assert (run.state, states(run)["bad"]) == ("failed", "failed")


def test_facts_about_the_run_reach_its_nodes_and_its_record(catalog):
    sheet = Sheet()
    time_tree = catalog.values.encode(datetime(2026, 1, 2, tzinfo=UTC))
    program = sheet.program(
        sheet.call("when", tasks.echo, value=RunInfo("logical_time")),
        sheet.call("who", tasks.echo, value=RunInfo("run_id")),
        result=Apply("list", (out("when"), out("who"))),
    )
    run = run_local(program, sheet.functions, {}, catalog, info={"logical_time": time_tree})
    assert run.result == [datetime(2026, 1, 2, tzinfo=UTC), run.id]
    assert run.record.logical_time == "2026-01-02T00:00:00+00:00"


# the cache


def counted(sheet, path, **policies):
    call = sheet.call(
        "count", tasks.sleep_and_append, seconds=Param("s"), path=path, line="x", policies=Policies(**policies)
    )
    return sheet.program(call, sheet.call("next", tasks.echo, value=out("count")), result=out("next"), params=("s",))


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_a_second_run_is_answered_from_the_cache(catalog, tmp_path, executor):
    sheet = Sheet()
    program = counted(sheet, str(tmp_path / "log"))
    first = run_local(program, sheet.functions, {"s": 0}, catalog, executor=executor)
    second = run_local(program, sheet.functions, {"s": 0}, catalog, executor=executor)
    assert (states(second), second.result) == ({"count": "cached", "next": "cached"}, first.result)
    commit = second._refresh().commits["count", ()]
    assert commit.source == (first.id, "count", "-")
    assert (tmp_path / "log").read_text() == "x\n"


def test_other_inputs_are_not_answered_from_the_cache(catalog, tmp_path):
    sheet = Sheet()
    program = counted(sheet, str(tmp_path / "log"))
    run_local(program, sheet.functions, {"s": 0}, catalog)
    assert states(run_local(program, sheet.functions, {"s": 0.001}, catalog))["count"] == "succeeded"


def test_the_cache_can_be_left_out_for_a_run_or_a_call(catalog, tmp_path):
    sheet = Sheet()
    program = counted(sheet, str(tmp_path / "log"))
    run_local(program, sheet.functions, {"s": 0}, catalog)
    assert states(run_local(program, sheet.functions, {"s": 0}, catalog, cache=False))["count"] == "succeeded"
    never = counted(sheet, str(tmp_path / "log"), cache=CachePolicy(False))
    assert states(run_local(never, sheet.functions, {"s": 0}, catalog))["count"] == "succeeded"


def test_a_cache_entry_whose_object_is_gone_does_not_count(catalog, tmp_path):
    sheet = Sheet()
    call = sheet.call("big", tasks.add, a=Param("v"), b="y")
    program = sheet.program(call, result=out("big"), params=("v",))
    tree = catalog.values.encode("x" * 10_000)
    run_local(program, sheet.functions, {"v": tree}, catalog)
    for key in list(catalog.storage.keys("objects/")):
        catalog.storage.delete(key)
    again = Catalog.open(str(tmp_path / "store"))
    run = run_local(program, sheet.functions, {"v": tree}, again)
    assert (states(run), run.result) == ({"big": "succeeded"}, "x" * 10_000 + "y")


def test_failures_are_not_remembered(catalog):
    sheet = Sheet()
    program = sheet.program(sheet.call("bad", tasks.fails, n=Param("n")), params=("n",))
    run_local(program, sheet.functions, {"n": 1}, catalog)
    assert states(run_local(program, sheet.functions, {"n": 1}, catalog)) == {"bad": "failed"}


def committed(run):
    return {
        place: c for place, c in run._refresh().commits.items() if place[0] and c.outcome in ("succeeded", "cached")
    }


def test_earlier_commits_are_adopted_whatever_the_cache_policy_says(catalog, tmp_path):
    sheet = Sheet()
    never = counted(sheet, str(tmp_path / "log"), cache=CachePolicy(False))
    first = run_local(never, sheet.functions, {"s": 0}, catalog)
    again = run_local(never, sheet.functions, {"s": 0}, catalog, adopt=committed(first))
    assert (states(again), again.result) == ({"count": "cached", "next": "cached"}, first.result)
    assert (tmp_path / "log").read_text() == "x\n"
    assert again._refresh().commits["count", ()].source == (first.id, "count", "-")


def test_earlier_commits_of_other_inputs_or_of_other_code_are_not_adopted(catalog, tmp_path):
    sheet = Sheet()
    never = counted(sheet, str(tmp_path / "log"), cache=CachePolicy(False))
    first = run_local(never, sheet.functions, {"s": 0}, catalog)
    other_input = run_local(never, sheet.functions, {"s": 0.001}, catalog, adopt=committed(first))
    assert states(other_input)["count"] == "succeeded"
    earlier = {place: replace(commit, function="0" * 64) for place, commit in committed(first).items()}
    other_code = run_local(never, sheet.functions, {"s": 0}, catalog, adopt=earlier)
    assert states(other_code)["count"] == "succeeded"


# refusals


def refusal(sheet, *nodes, spans=None, executor="threads", **options):
    def refused(catalog):
        program = Program(sheet.program(*nodes).pipeline, spans or {})
        with pytest.raises(RunRefused) as caught:
            run_local(program, sheet.functions, {}, catalog, executor=executor, **options)
        assert list(catalog.storage.keys("runs/")) == []
        return str(caught.value)

    return refused


def test_an_unknown_executor_is_refused(catalog):
    assert refusal(Sheet(), executor="thread")(catalog) == (
        "error[R510] there is no executor 'thread'\n  fix    choose one of 'threads', 'processes', 'inline'"
    )


def test_no_workers_are_refused(catalog):
    assert refusal(Sheet(), workers=0)(catalog) == (
        "error[R511] workers=0 can't run anything\n  fix    give 1 or more, or leave it out"
    )


def test_a_function_in_a_function_can_not_run_in_a_worker_process(catalog):
    def inner():
        return 1

    sheet = Sheet()
    call = sheet.call("inner", inner)
    name = f"{__name__}:test_a_function_in_a_function_can_not_run_in_a_worker_process.<locals>.inner"
    assert refusal(sheet, call, spans={"inner": Span("flow.py", 7)}, executor="processes")(catalog) == (
        f"error[R513] task `{name}` can't run in a worker process: it is defined inside another function\n"
        "  where  flow.py:7\n"
        "  fix    executor='processes' imports it there; define the task at the top level of a module that can be "
        "imported, or do without"
    )
    timed = Sheet()
    call = timed.call("inner", inner, policies=Policies(attempt_timeout_seconds=1))
    assert "it has a timeout, and a thread can't be stopped; define" in refusal(timed, call)(catalog)


def test_nodes_that_only_engines_have_are_refused_all_at_once(catalog):
    sheet = Sheet()
    for name, engine in (("box", "argo"), ("sensor", "airflow")):
        sheet.specs[name] = TaskSpec(name, FunctionRef("ml", name), engine=EngineSpec(engine, "{}"))
    assert refusal(sheet, Call("box", "box"), Call("sensor", "sensor"))(catalog) == (
        "error[R518] `box` is a node that only argo has: a local run has tasks only\n"
        "  fix    compile the pipeline for an engine that has it, or put a @task in its place\n"
        "error[R518] `sensor` is a node that only airflow has: a local run has tasks only\n"
        "  fix    compile the pipeline for an engine that has it, or put a @task in its place"
    )


def test_a_module_a_worker_can_not_import_fails_the_node(catalog, tmp_path, monkeypatch):
    (tmp_path / "vanishing.py").write_text("def one():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import vanishing

    (tmp_path / "vanishing.py").write_text("def other():\n    return 1\n")
    sheet = Sheet()
    program = sheet.program(sheet.call("one", vanishing.one), result=out("one"))
    run = run_local(program, sheet.functions, {}, catalog, executor="processes")
    with pytest.raises(RunFailed) as failed:
        _ = run.result
    assert (
        "error[R517] task `vanishing:one` can't be imported in a worker process: AttributeError: module 'vanishing' "
        "has no attribute 'one'\n  fix    make `vanishing` importable by that name, or run with executor='threads'"
    ) in str(failed.value.__cause__)


# scripts


SCRIPT_HEAD = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent / "samples")!r})
from dataclasses import dataclass
import sample_tasks as tasks
from sample_programs import Sheet, out
from drawloom.catalog.catalog import Catalog
from drawloom.ir.operands import Param
from drawloom.runtimes.blocks import Frame
from drawloom.runtimes.local import run_local
from drawloom.runtimes.progress import SilentProgress
"""


def script(tmp_path, body):
    path = tmp_path / "flow.py"
    path.write_text(SCRIPT_HEAD + textwrap.dedent(body))
    root = str(Path(__file__).parents[2])
    return [sys.executable, str(path)], {**os.environ, "PYTHONPATH": root}


def test_a_scripts_own_tasks_and_classes_run_in_worker_processes(tmp_path):
    command, env = script(
        tmp_path,
        """
        @dataclass
        class Point:
            x: int

        def moved(point):
            assert type(point) is Point
            return Point(point.x + 1)

        if __name__ == "__main__":
            sheet = Sheet()
            calls = sheet.call("one", moved, point=Param("p")), sheet.call("two", moved, point=out("one"))
            program = sheet.program(*calls, result=out("two"), params=("p",))
            catalog = Catalog.open("store")
            params = {"p": catalog.values.encode(Point(1))}
            run = run_local(program, sheet.functions, params, catalog, executor="processes")
            assert type(run.result) is Point
            print(run.result)
        """,
    )
    found = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.returncode) == ("Point(x=3)\n", 0), found.stderr


def test_a_script_without_a_guard_is_told_so(tmp_path):
    command, env = script(
        tmp_path,
        """
        def one():
            return 1

        sheet = Sheet()
        program = sheet.program(sheet.call("one", one), result=out("one"))
        print(run_local(program, sheet.functions, {}, Catalog.open("store"), executor="processes").result)
        """,
    )
    found = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert found.returncode == 1
    assert (
        "error[R512] a run was started while a worker process was importing the module it stands in\n"
        '  fix    put the call under `if __name__ == "__main__":`; a worker imports the module to get its tasks'
    ) in found.stderr


SLEEPER = """
from drawloom.runtimes.local import RunInterrupted
if __name__ == "__main__":
    sheet = Sheet()
    calls = (
        sheet.call("done", tasks.one),
        sheet.call("slow", tasks.hang, path="pid", after=("done",)),
        sheet.call("next", tasks.one, after=("slow",)),
    )
    try:
        run_local(sheet.program(*calls), sheet.functions, {{}}, Catalog.open("store"), executor={executor!r})
    except RunInterrupted as stopped:
        print(stopped.run.state, {{n.id: n.state for n in stopped.run.nodes()}})
        sys.exit(130)
"""


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_ctrl_c_cancels_the_run_and_writes_it_down(tmp_path, executor):
    command, env = script(tmp_path, SLEEPER.format(executor=executor))
    process = subprocess.Popen(
        command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < deadline, process.communicate()
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)  # its task sleeps for longer
    assert process.returncode == 130, errors
    assert output.splitlines()[-1] == "cancelled {'done': 'succeeded', 'slow': 'cancelled', 'next': 'cancelled'}"
    if executor == "processes":
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


# sizes


def test_long_chains_meet_no_stack_limit(catalog):
    sheet = Sheet()
    calls = [sheet.call("n0", tasks.fails, n=0)]
    calls += [sheet.call(f"n{k}", tasks.double, n=out(f"n{k - 1}")) for k in range(1, 1500)]
    run = run_local(sheet.program(*calls), sheet.functions, {}, catalog, executor="inline", fail_fast=False)
    assert run.counts == {"skipped": 1499, "failed": 1}


def test_many_iterations_meet_no_stack_limit(catalog):
    sheet = Sheet()
    n = Carried("count", "n")
    test = Block((), (("test", Apply("lt", (n, const(3000)))),))
    loop = Loop("count", (Carry("n", const(0)),), test, Block((), (("n", Apply("add", (n, const(1)))),)), 5000)
    assert run_local(sheet.program(loop, result=out("count", "n")), sheet.functions, {}, catalog).result == 3000


def test_a_wide_map_holds_few_items_at_once(catalog):
    held = []
    sheet = Sheet()
    body = Block((sheet.call("twice", tasks.double, n=Item("each")),), (("result", out("twice")),))
    program = sheet.program(Map("each", const(list(range(6000))), body, RESULT), result=out("each"))

    class Watching(SilentProgress):
        def finished(self, node, index, seconds, log):
            if index and index[0] % 200 == 0:  # to look at all objects takes its time
                held.append(sum(1 for f in gc.get_objects() if type(f) is Frame and f.plan.block is body))

    run = run_local(program, sheet.functions, {}, catalog, executor="inline", progress=Watching())
    assert run.result == [2 * k for k in range(6000)]
    # 64 have begun, and some wait for the next flush of the records, 50 ms later; if all were kept it would be 3,000
    assert 1 < median(held) < 1500


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_inputs_that_raise_end_a_run_with_calls_left_that_were_ready(catalog, executor):
    sheet = Sheet()
    raising = sheet.call("raising", tasks.double, n=Apply("floordiv", (const(1), Param("n"))))
    rest = [sheet.call(f"rest{k}", tasks.double, n=Param("n")) for k in range(20)]
    program = sheet.program(raising, sheet.call("behind", tasks.double, n=out("raising")), *rest, params=("n",))
    run = run_local(program, sheet.functions, {"n": 0}, catalog, executor=executor, workers=1)
    assert (run.state, states(run)["raising"], states(run)["behind"]) == ("failed", "failed", "skipped")


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_inputs_that_raise_in_a_body_let_its_final_block_run(catalog, tmp_path, executor):
    sheet = Sheet()
    raising = sheet.call("raising", tasks.double, n=Apply("floordiv", (const(1), Param("n"))))
    final = sheet.call("final", tasks.sleep_and_append, seconds=0, path=str(tmp_path / "log"), line="final")
    nested = Try("nested", Block((raising,)), (), Block((final,)))
    program = sheet.program(nested, sheet.call("other", tasks.double, n=Param("n")), params=("n",))
    run = run_local(program, sheet.functions, {"n": 0}, catalog, executor=executor, workers=1)
    assert (run.state, (tmp_path / "log").read_text()) == ("failed", "final\n")
