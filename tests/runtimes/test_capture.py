"""What attempts write is kept apart."""

import io
import logging
import sys
import threading

from drawloom import Secret
from drawloom.runtimes.capture import Log, capturing, routed


def test_threads_write_to_their_own_logs():
    logs = [Log() for _ in range(8)]

    def write(number):
        with capturing(logs[number]):
            for _ in range(200):
                print(number)
                print(number, file=sys.stderr)

    with routed():
        threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [log.content() for log in logs] == [f"{k}\n".encode() * 400 for k in range(8)]


def test_outside_an_attempt_output_goes_where_it_went(capsys):
    with routed():
        print("outside")
        with capturing(Log()):
            print("inside")
    assert capsys.readouterr().out == "outside\n"


def test_a_tee_lets_output_through_as_well(capsys):
    with routed(), capturing(Log(tee=True)) as log:
        print("both")
    assert (log.content(), capsys.readouterr().out) == (b"both\n", "both\n")


def test_what_a_tee_lets_through_names_no_revealed_secret(capfdbinary, monkeypatch):
    monkeypatch.setenv("TEE_SECRET", 'hunter2-ünd"more')
    revealed = Secret("TEE_SECRET").reveal()
    with routed(), capturing(Log(tee=True)):
        print("it is", revealed, "!")
        sys.stdout.buffer.write(revealed.encode() + b"\xff\n")
        sys.stdout.flush()
    written = capfdbinary.readouterr().out
    assert b"hunter2" not in written
    assert sorted(written.splitlines()) == [b"[secret]\xff", b"it is [secret] !"]


def test_bytes_and_lone_surrogates_are_kept():
    with routed(), capturing(Log()) as log:
        sys.stdout.buffer.write(b"\xff\n")
        print("\ud83d")
    assert log.content() == b"\xff\n\\ud83d\n"


def test_streams_are_put_back_when_the_last_block_ends():
    before = (sys.stdout, sys.stderr)
    with routed():
        with routed():
            pass
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before


def test_log_records_go_to_the_attempt_that_made_them():
    with routed(), capturing(Log()) as log:
        logging.getLogger("some.place").warning("careful: %s", 3)
        logging.getLogger("some.place").debug("not asked for")
    assert log.content() == b"WARNING:some.place:careful: 3\n"
    assert not [h for h in logging.getLogger().handlers if type(h).__name__ == "RoutedHandler"]


def test_a_handler_that_writes_to_the_routed_stream_is_not_doubled():
    with routed():
        handler = logging.StreamHandler(sys.stderr)
        logging.getLogger().addHandler(handler)
        try:
            with capturing(Log()) as log:
                logging.getLogger("x").warning("once")
        finally:
            logging.getLogger().removeHandler(handler)
    assert log.content().count(b"once") == 1


def test_a_task_that_closes_its_output_closes_nobody_elses(capsys):
    with routed():
        with capturing(Log()) as log:
            sys.stdout.close()
            print("inside")
        print("outside")
    assert (log.content(), capsys.readouterr().out) == (b"inside\n", "outside\n")


def test_a_stream_that_a_task_left_replaced_is_put_back():
    before = (sys.stdout, sys.stderr)
    with routed(), capturing(Log()):
        sys.stdout = io.StringIO()
    assert (sys.stdout, sys.stderr) == before


def test_a_stream_that_was_replaced_outside_a_task_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    theirs = io.StringIO()
    with routed():
        sys.stdout = theirs
        with capturing(Log()):
            print("inside")
    assert sys.stdout is theirs
