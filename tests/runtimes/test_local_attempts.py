"""Attempts of a local run: retries, timeouts, lost workers, what is captured, what is refused of a result."""

import os
import sys
import time

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, listed, out

from drawloom.errors import RunFailed
from drawloom.ir.nodes import Block, Handler, Port, Try
from drawloom.ir.operands import Caught, Param
from drawloom.ir.policies import Policies, RetryPolicy
from drawloom.ir.types import Type
from drawloom.runtimes.local import run_local
from drawloom.values.secret import Secret

UNLUCKY = ("sample_tasks:Unlucky",)
EXECUTORS = ("inline", "threads", "processes")


@pytest.fixture
def run(catalog):
    def run(sheet, *nodes, result=None, params=None, executor="threads", **options):
        params = params or {}
        program = sheet.program(
            *nodes, result=result, params=tuple(params), run_timeout_seconds=options.pop("run_timeout_seconds", None)
        )
        trees = {name: catalog.values.encode(value) for name, value in params.items()}
        return run_local(program, sheet.functions, trees, catalog, executor=executor, **options)

    return run


def node(run, name):
    return next(n for n in run.nodes() if n.id == name)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_failed_attempt_is_made_again_until_it_succeeds(run, tmp_path, executor):
    sheet = Sheet()
    policies = Policies(retry=RetryPolicy(3, on=UNLUCKY))
    call = sheet.call("risky", tasks.lucky_at, path=str(tmp_path / "tries"), attempt=3, policies=policies)
    found = run(sheet, call, result=out("risky"), executor=executor)
    assert (found.result, node(found, "risky").attempts) == ("at last", 3)


def test_a_failure_the_policy_does_not_name_is_final(run, tmp_path):
    sheet = Sheet()
    policies = Policies(retry=RetryPolicy(3, on=("builtins:OSError", "timeout", "infra")))
    call = sheet.call("risky", tasks.lucky_at, path=str(tmp_path / "tries"), attempt=3, policies=policies)
    assert node(run(sheet, call), "risky").attempts == 1


def test_the_pause_before_an_attempt_is_kept_and_occupies_no_worker(run, tmp_path):
    sheet = Sheet()
    policies = Policies(retry=RetryPolicy(2, delay_seconds=0.4))
    risky = sheet.call("risky", tasks.lucky_at, path=str(tmp_path / "tries"), attempt=2, policies=policies)
    began = time.monotonic()
    found = run(sheet, risky, sheet.call("other", tasks.one), result=out("risky"), workers=1)
    assert found.result == "at last"
    assert 0.4 <= time.monotonic() - began < 20
    records = [(r.at, r.node) for r in found._refresh().commits.values() if r.node]
    assert [name for _, name in sorted(records)] == ["other", "risky"]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_independent_tasks_run_at_the_same_time(run, executor):
    sheet = Sheet()
    if executor == "processes":  # the interpreters' start is not what is measured
        run(sheet, *(sheet.call(f"warm{k}", tasks.one) for k in range(3)), executor=executor, workers=3)
    calls = [sheet.call(f"s{k}", tasks.sleep, seconds=0.6) for k in range(3)]
    found = run(sheet, *calls, result=listed(*(out(f"s{k}") for k in range(3))), executor=executor, workers=3)
    starts = [c.at - c.seconds for c in (found._refresh().commits[n, ()] for n in ("s0", "s1", "s2"))]
    assert found.result == [0.6] * 3
    assert max(starts) - min(starts) < 0.6


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_attempt_that_takes_too_long_is_killed(run, tmp_path, executor):
    sheet = Sheet()
    path = tmp_path / "pid"
    call = sheet.call("slow", tasks.hang, path=str(path), policies=Policies(attempt_timeout_seconds=2))
    found = run(sheet, call, result=out("slow"), executor=executor)
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    assert str(failed.value.__cause__) == (
        "error[R514] attempt 1 of `slow` ran longer than attempt_timeout_seconds=2 and was ended\n"
        "  fix    raise attempt_timeout_seconds, make the task faster, or retry it on `timeout`"
    )
    assert found.logs("slow") == "hanging\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)


def test_a_timeout_is_retried_and_may_be_handled(run, tmp_path):
    sheet = Sheet()
    policies = Policies(attempt_timeout_seconds=1.5, retry=RetryPolicy(2, on=("timeout",)))
    body = Block((sheet.call("slow", tasks.hang, path=str(tmp_path / "pids"), policies=policies),), ())
    told = sheet.call("told", tasks.tell, failure=Caught("safe"))
    handler = Handler(("builtins:TimeoutError",), Block((told,), (("result", out("told")),)))
    found = run(sheet, Try("safe", body, (handler,), None, (Port("result"),)), result=out("safe"))
    assert found.result.startswith("timeout attempt 2 of `slow` ran longer than")
    assert len((tmp_path / "pids").read_text().splitlines()) == 2


def test_all_attempts_together_may_take_no_longer_than_the_node(run, tmp_path):
    sheet = Sheet()
    retry = RetryPolicy(9, delay_seconds=0.3)
    path = str(tmp_path / "tries")
    policies = Policies(retry=retry, node_timeout_seconds=1.0)
    found = run(
        sheet, sheet.call("risky", tasks.lucky_at, path=path, attempt=99, policies=policies), result=out("risky")
    )
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    attempts = node(found, "risky").attempts
    assert 1 <= attempts <= 4
    assert str(failed.value.__cause__) == (
        "error[R515] the attempts at `risky` took longer than node_timeout_seconds=1, pauses included; "
        f"attempt {attempts} was the last\n"
        "  fix    raise node_timeout_seconds, or make fewer or faster attempts"
    )


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_run_may_take_no_longer_than_its_own_timeout(run, executor):
    sheet = Sheet("slow_one")
    calls = (sheet.call("slow", tasks.sleep, seconds=60), sheet.call("next", tasks.echo, value=out("slow")))
    began = time.monotonic()
    found = run(sheet, *calls, result=out("next"), run_timeout_seconds=0.5, executor=executor)
    assert time.monotonic() - began < 30
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    assert str(failed.value.__cause__) == (
        "error[R519] `slow_one` took longer than run_timeout_seconds=0.5\n"
        "  fix    raise run_timeout_seconds; what succeeded is answered from the cache when it is run again"
    )
    assert {n.id: n.state for n in found.nodes()} == {"slow": "cancelled", "next": "cancelled"}


def test_a_killed_worker_is_retried_where_the_policy_says_so(run, tmp_path):
    sheet = Sheet()
    policies = Policies(retry=RetryPolicy(2, on=("infra",)))
    call = sheet.call("mortal", tasks.die, path=str(tmp_path / "tries"), before=1, policies=policies)
    found = run(sheet, call, result=out("mortal"), executor="processes")
    assert (found.result, node(found, "mortal").attempts) == ("survived", 2)
    assert "dying" in found.logs("mortal")


@pytest.mark.parametrize(
    ("function", "inputs", "how"),
    [
        (tasks.die, {"before": 9}, "was killed by SIGKILL"),
        (tasks.leave, {"status": 5}, "ended with exit status 5 before it answered"),
    ],
)
def test_a_lost_worker_fails_its_node_and_no_other(run, tmp_path, function, inputs, how):
    sheet = Sheet()
    paths = {"path": str(tmp_path / "tries")} if function is tasks.die else {}
    mortal = sheet.call("mortal", function, **paths, **inputs)
    found = run(
        sheet, mortal, sheet.call("other", tasks.one), result=out("mortal"), executor="processes", fail_fast=False
    )
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    assert str(failed.value.__cause__) == (
        f"error[R516] the worker process of attempt 1 of `mortal` {how}\n"
        "  fix    see the node's log; if it ran out of memory, give it less to do at once; "
        'retry=Retry(max_attempts=2, on=["infra"]) makes another attempt'
    )
    assert node(found, "other").state == "succeeded"


def test_a_task_that_exits_the_interpreter_fails_like_any_other(run):
    sheet = Sheet()
    found = run(sheet, sheet.call("exits", tasks.system_exit))
    assert node(found, "exits").failure.info.type == "builtins:SystemExit"


def test_workers_are_used_again(run):
    sheet = Sheet()
    first = sheet.call("first", tasks.pid)
    second = sheet.call("second", tasks.pid, after=("first",))
    found = run(sheet, first, second, result=listed(out("first"), out("second")), executor="processes")
    assert found.result[0] == found.result[1] != os.getpid()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_each_node_has_its_own_output(run, executor):
    sheet = Sheet()
    words = [f"word{k}" for k in range(4)]
    found = run(
        sheet, *(sheet.call(w, tasks.talk, word=w) for w in words), executor=executor, workers=4, progress=Quiet()
    )
    for word in words:
        assert sorted(found.logs(word).splitlines()) == [f"WARNING:sample:log {word}", f"err {word}", f"out {word}"]


def test_a_worker_captures_what_child_processes_write(run):
    sheet = Sheet()
    found = run(sheet, sheet.call("talks", tasks.talk_below, word="w"), executor="processes")
    assert sorted(found.logs("talks").splitlines()) == ["child w", "raw w"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_output_reaches_the_terminal_where_nobody_shows_progress(run, capsys, executor):
    sheet = Sheet()
    run(sheet, sheet.call("talks", tasks.talk, word="w"), executor=executor)
    assert "out w\n" in capsys.readouterr().out


def test_the_import_of_the_users_module_is_no_part_of_the_attempt(run, tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(1.5)\ndef one():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import slow_to_import

    sheet = Sheet()
    call = sheet.call("one", slow_to_import.one, policies=Policies(attempt_timeout_seconds=1))
    assert run(sheet, call, result=out("one")).result == 1


def test_a_delayed_attempt_that_is_due_waits_for_a_worker_without_spinning(run, tmp_path):
    sheet = Sheet()
    policies = Policies(retry=RetryPolicy(2, delay_seconds=0.05))
    risky = sheet.call("risky", tasks.lucky_at, path=str(tmp_path / "tries"), attempt=2, policies=policies)
    began = time.process_time()
    found = run(sheet, risky, sheet.call("slow", tasks.sleep, seconds=0.8), result=out("risky"), workers=1)
    assert found.result == "at last"
    assert time.process_time() - began < 0.4


@pytest.mark.parametrize("executor", EXECUTORS)
def test_secrets_are_taken_out_of_logs_and_failures(run, executor, monkeypatch):
    monkeypatch.setenv("DRAWLOOM_SECRET_KEY", "hunter2-hunter2")
    sheet = Sheet()
    call = sheet.call("shouts", tasks.shout, secret=Param("key"))
    found = run(sheet, call, params={"key": Secret("key")}, executor=executor)
    failure = node(found, "shouts").failure.info
    assert (found.logs("shouts"), failure.message) == ("the secret is [secret]\n", "bad secret [secret]")
    assert "hunter2" not in failure.traceback + str(failure.arguments)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_result_that_can_not_be_kept_fails_its_node(run, executor):
    sheet = Sheet()
    failure = node(run(sheet, sheet.call("lost", tasks.unkeepable), executor=executor), "lost").failure.info
    assert failure.type == "drawloom.errors:ValueRefused"
    assert "error[V3" in failure.message
    assert "what task `sample_tasks:unkeepable` returned" in failure.message


def test_a_result_of_another_type_than_declared_fails_its_node(run):
    sheet = Sheet()
    found = run(sheet, sheet.call("text", tasks.says_int, result=Type("int")), result=out("text"))
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    assert str(failed.value.__cause__) == (
        "error[R520] task `sample_tasks:says_int` is declared to return int: expected int, got str\n"
        "  fix    make the function return what its annotation says, or correct the annotation"
    )


def test_a_failure_keeps_the_tasks_own_exception_and_traceback(run):
    sheet = Sheet()
    found = run(sheet, sheet.call("risky", tasks.fails, n=1), result=out("risky"))
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    assert type(failed.value.__cause__) is tasks.Unlucky
    failure = node(found, "risky").failure.info
    assert failure.bases[:2] == ("sample_tasks:Unlucky", "builtins:Exception")
    assert "in fails" in failure.traceback
    assert "drawloom/runtimes" not in failure.traceback


def test_an_exception_from_a_worker_is_made_again(run):
    sheet = Sheet()
    found = run(sheet, sheet.call("risky", tasks.fails, n=1), result=out("risky"), executor="processes")
    with pytest.raises(RunFailed) as failed:
        _ = found.result
    assert type(failed.value.__cause__) is tasks.Unlucky
    assert str(failed.value.__cause__) == "no luck with 1"


class Quiet:
    """Is told everything and says nothing."""

    def __getattr__(self, name):
        return lambda *arguments: None


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_keyboard_interrupt_of_the_tasks_own_is_a_failure(run, executor):
    sheet = Sheet()
    found = run(sheet, sheet.call("interrupts", tasks.interrupts), executor=executor)
    info = node(found, "interrupts").failure.info
    assert (info.type, info.message) == ("builtins:KeyboardInterrupt", "mine")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_task_may_close_its_output(run, executor):
    sheet = Sheet()
    closes = sheet.call("closes", tasks.closes_its_output)
    found = run(sheet, closes, sheet.call("next", tasks.one, after=("closes",)), result=out("next"), executor=executor)
    assert (found.result, found.logs("closes")) == (1, "still heard\n")


def test_modules_beside_the_pipeline_do_not_stand_for_what_a_worker_needs(run, tmp_path, monkeypatch):
    for name in ("json", "queue", "subprocess", "drawloom"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not the one that is meant')\n")
    (tmp_path / "beside_them.py").write_text("def one():\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import beside_them

    sheet = Sheet()
    found = run(sheet, sheet.call("one", beside_them.one), result=out("one"), executor="processes")
    assert found.result == 1


def test_warnings_that_are_errors_here_are_errors_in_a_worker(run, monkeypatch):
    sheet = Sheet()
    assert run(sheet, sheet.call("warns", tasks.warns), executor="processes").state == "succeeded"
    monkeypatch.setattr(sys, "warnoptions", ["error::UserWarning"])
    found = run(sheet, sheet.call("warns", tasks.warns), executor="processes")
    assert node(found, "warns").failure.info.type == "builtins:UserWarning"
