"""Pipelines whose tasks log and keep checkpoints; in a module of their own, as worker processes and steps need them."""

import contextvars
import math
import os
import signal
import struct
import threading
import zlib
from decimal import Decimal

from drawloom import Checkpoint, File, Retry, for_each, log_artifact, log_figure, log_metric, pipeline, task

HOSTILE = "näme {{x}} \"quoted\" ${y} 'é' 🎉: no"


def _chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG = b"".join(
    [
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\x00\xff")),
        _chunk(b"IEND", b""),
    ]
)


class Number:
    """What `float` makes a float of, as a numpy scalar is."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return self.value


def in_a_helper(n):
    log_metric("helped", n)


@task
def train(n: int) -> int:
    for epoch in range(n):
        log_metric("loss", 1 / (epoch + 1), step=10 * epoch)
    in_a_helper(n)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(log_metric, "threaded", 7))
    thread.start()
    thread.join()
    log_metric("score", 0.1)
    log_metric("score", math.nan)
    log_metric("worst", -math.inf)
    log_metric("scalar", Number(0.5))
    log_metric("exact", Decimal("0.25"))
    log_metric("yes", True)
    log_metric("large", 2**60 + 1)
    log_metric(HOSTILE, 1)
    rows = [1, 2]
    log_artifact(HOSTILE, {"rows": rows, "nan": math.nan})
    rows.append(3)  # what was logged is what it was then
    log_artifact("report", File.write("first", "report.txt"))
    log_artifact("report", File.write("second", "report.txt"))
    log_figure("dot", PNG)
    return n


@pipeline
def tracked(n: int = 3) -> int:
    return train(n)


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def measure(n: int) -> int:
    log_metric("n", n)
    if n % 2:
        log_artifact("odd", n)
    return n


@pipeline
def each(n: int = 3) -> list[int]:
    return for_each(numbers(n), measure)


@task(retry=Retry(max_attempts=2, on=[ValueError]))
def diverge(n: int) -> int:
    log_metric("loss", n)
    log_metric("loss", math.inf)
    log_artifact("weights", [n])
    raise ValueError("diverged")


@pipeline
def diverging(n: int = 3) -> int:
    return diverge(n)


@task(attempt_timeout_seconds=60)
def limited(n: int) -> int:
    log_metric("n", n)
    log_metric("n", n + 1)
    log_artifact("n", n)
    count = Checkpoint()
    count.save("n", n)
    return n


@pipeline
def limiting(n: int = 3) -> int:
    return limited(n)


@task
def forked(n: int) -> int:
    child = os.fork()
    if not child:
        code = 1
        try:
            log_metric("n", n)
        except Exception as refused:
            code = 9 if "D136" in str(refused) else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pipeline
def forking(n: int = 3) -> int:
    return forked(n)


@task
def silent(n: int) -> int:
    return n


@pipeline
def silence(n: int = 3) -> int:
    return silent(n)


# checkpoints


def _count(checkpoint):
    """How often this was asked with the same checkpoint, by `save` and by a file."""
    count = checkpoint.load("count", 0) + 1
    checkpoint.save("count", count)
    inner = checkpoint.path / "inner folder"
    inner.mkdir(exist_ok=True)
    (inner / "empty").mkdir(exist_ok=True)
    path = inner / f"Größe {'x' * 100}.txt"
    lines = path.read_text() if path.exists() else ""
    path.write_text(lines + "x")
    assert len(path.read_text()) == count, (count, lines)
    return count


@task(retry=Retry(max_attempts=3, on=[ValueError]))
def stubborn(until: int) -> int:
    count = _count(Checkpoint())
    assert Checkpoint().load("count") == count
    if count < until:
        raise ValueError(f"attempt {count}")
    return count


@pipeline
def persistent(until: int = 3) -> int:
    return stubborn(until)


@pipeline
def persistent_items(n: int = 2) -> list[int]:
    return for_each(numbers(n), third)


@task(retry=Retry(max_attempts=3, on=[ValueError]))
def third(n: int) -> int:
    return stubborn(3)


@task(retry=Retry(max_attempts=3, on=["infra"]))
def killed(until: int) -> int:
    checkpoint = Checkpoint()
    count = _count(checkpoint)
    checkpoint.commit()
    if count < until:
        os.kill(os.getpid(), signal.SIGKILL)
    return count


@pipeline
def killing(until: int = 3) -> int:
    return killed(until)


@task
def source() -> int:
    count = _count(Checkpoint())
    if count < 2:
        raise ValueError(f"attempt {count}")
    return count


@pipeline
def sourced() -> int:
    return source()


@task
def interruptible(until: int) -> int:
    count = _count(Checkpoint())
    if os.environ.get("INTERRUPT_SAMPLES"):
        raise KeyboardInterrupt
    return count


@pipeline
def interrupted(until: int) -> int:
    return interruptible(until)
