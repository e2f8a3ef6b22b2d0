"""Acknowledged means: once flushed, it survives a kill.

Writers are killed at random moments, and what they told is there.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from drawloom.catalog.records import Commit
from drawloom.catalog.runlog import commit_once, is_alive, read_commit, read_records
from drawloom.storage.local import LocalStorage

_WRITER = """
import os, sys
from drawloom.catalog.records import Commit
from drawloom.catalog.runlog import RunWriter, commit_once
from drawloom.storage.local import LocalStorage
storage = LocalStorage(sys.argv[1])
writer = RunWriter(storage, 'r1', flush_seconds=0.001)
for number in range(10**9):
    writer.append(Commit('r1', f'local{number}', log='x' * (number * 37 % 5000)))
    if number % 7 == 0:
        writer.flush()
        commit_once(storage, Commit('r1', f'remote{number}'))
        os.write(1, b'%d\\n' % number)
"""


def test_what_a_killed_writer_acknowledged_is_there(tmp_path: Path) -> None:
    chance = random.Random(11)
    for attempt in range(20):
        folder = str(tmp_path / str(attempt))
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, folder], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.random() * 0.03)
        os.kill(writer.pid, signal.SIGKILL)
        told = [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
        writer.wait()
        writer.stdout.close()
        storage = LocalStorage(folder)
        found = [record for record in read_records(storage, "r1") if isinstance(record, Commit)]
        local = [commit for commit in found if commit.node.startswith("local")]
        assert [commit.node for commit in local] == [f"local{number}" for number in range(len(local))]
        assert [len(commit.log) for commit in local] == [number * 37 % 5000 for number in range(len(local))]
        assert len(local) > max(told, default=0)
        for number in (0, *told):
            assert read_commit(storage, "r1", 0, f"remote{number}", ()) == Commit("r1", f"remote{number}")
        assert is_alive(storage, "r1") is False


def test_a_run_goes_on_after_its_writer_was_killed(tmp_path: Path) -> None:
    folder = str(tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, folder], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.kill()
    writer.wait()
    writer.stdout.close()
    storage = LocalStorage(folder)
    before = read_records(storage, "r1")
    late = commit_once(storage, Commit("r1", "remote0", outcome="failed"))
    assert late == Commit("r1", "remote0")
    assert read_records(storage, "r1") == before
