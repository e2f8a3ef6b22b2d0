"""Plain functions that the programs of `sample_programs` call; importable by name, as worker processes need them."""

import logging
import os
import signal
import subprocess
import sys
import time
import warnings


class Unlucky(Exception):
    """An error whose class handlers and retries name."""


class Awkward(Exception):
    """An error that can't be made again from its arguments."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def one():
    return 1


def nothing():
    return None


def number(n):
    return n


def add(a, b):
    return a + b


def double(n):
    return 2 * n


def numbers(n):
    return list(range(n))


def rows(n):
    return [list(range(k)) for k in range(n)]


def total(items):
    return sum(items)


def is_small(n):
    return n < 10


def fails(n):
    raise Unlucky(f"no luck with {n}")


def fails_on_odd(n):
    if n % 2:
        raise Unlucky(f"{n} is odd")
    return n


def fails_awkwardly(n):
    raise Awkward(n, n)


def tell(failure):
    return f"{failure.type} {failure.message} {failure.node}"


def append(path, line):
    with open(path, "a") as file:
        file.write(f"{line}\n")


def attempt_count(path):
    append(path, "attempt")
    with open(path) as file:
        return len(file.readlines())


def lucky_at(path, attempt):
    if attempt_count(path) < attempt:
        raise Unlucky("not yet")
    return "at last"


def grow(items):
    items.append("grown")
    return items


def echo(value):
    return value


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def sleep_and_append(seconds, path, line):
    time.sleep(seconds)
    append(path, line)
    return line


def talk(word):
    print(f"out {word}")
    time.sleep(0.02)
    print(f"err {word}", file=sys.stderr)
    logging.getLogger("sample").warning("log %s", word)
    return word


def talk_below(word):
    subprocess.run(["echo", f"child {word}"], check=True)
    os.write(1, f"raw {word}\n".encode())
    return word


def unkeepable():
    return lambda: None


def says_int():
    return "text"


def die(path, before):
    """Dies by SIGKILL in its first `before` attempts."""
    if attempt_count(path) <= before:
        print("dying", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def leave(status):
    os._exit(status)


def system_exit():
    sys.exit(3)


def hang(path):
    append(path, os.getpid())
    print("hanging", flush=True)
    time.sleep(600)


def shout(secret):
    print("the secret is", secret.reveal())
    raise ValueError(f"bad secret {secret.reveal()}")


def pid():
    return os.getpid()


def interrupts():
    raise KeyboardInterrupt("mine")


def closes_its_output():
    sys.stdout.close()
    sys.stderr.close()
    print("still heard")
    return 1


def warns():
    warnings.warn("careful", stacklevel=1)
    return 1
