"""Runs the load again and again in one process, and tells its parent what has been acknowledged; is killed meanwhile.

Lines on stdout: `begun RUN SALT`, `done RUN NODE INDEX`, `ended RUN OUTCOME`. A node is told as done once its records
must be in the file: the time the run log gives itself after an event, and as long again as this thread overslept.
"""

import os
import signal
import sys
import threading
import time
from collections import deque

ACKNOWLEDGED_SECONDS = 0.25  # the log flushes each 0.05 s; the rest is for two threads of a busy machine


def tell(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Acknowledgements:
    """A listener to a run; what it isn't asked for it lets pass."""

    def __init__(self, salt):
        self.salt = salt
        self.run = ""
        self.events = deque()
        self.over = False
        self.thread = threading.Thread(target=self.report, daemon=True)

    def begun(self, run, pipeline):
        self.run = run
        tell("begun", run, self.salt)
        self.thread.start()

    def finished(self, node, index, seconds, log):
        self.events.append((time.monotonic(), node, index))

    def report(self):
        slack = ACKNOWLEDGED_SECONDS
        while not self.over:
            before = time.monotonic()
            time.sleep(0.02)
            slack = max(ACKNOWLEDGED_SECONDS, slack - 0.02, 2 * (time.monotonic() - before - 0.02))
            lines = []
            while self.events and self.events[0][0] < time.monotonic() - slack:
                _, node, index = self.events.popleft()
                lines.append(f"done {self.run} {node} {','.join(map(str, index)) or '-'}")
            if lines:
                tell("\n".join(lines))

    def __getattr__(self, name):
        return lambda *arguments: None


def die_at(operation):
    """Kills this process, and nothing else, right before a file operation: of this number, or on a name with this in it."""
    left = [int(operation) if operation.isdigit() else 0]

    def hook(event, arguments):
        if event in ("open", "os.link", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.chmod"):
            if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE):
                return
            left[0] -= 1
            if not left[0] or (not operation.isdigit() and any(operation in str(name) for name in arguments[:2])):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(folder, executor, n, salts, operation):
    if operation != "0":
        die_at(operation)
    import load_tasks

    from drawloom import api

    for salt in salts:
        listener = Acknowledgements(salt)
        done = api.run(
            load_tasks.work,
            {"n": n, "salt": salt, "path": f"{folder}/journal"},
            catalog=f"{folder}/store",
            executor=executor,
            progress=listener,
        )
        listener.over = True
        tell("ended", done.id, done.state)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(salt) for salt in sys.argv[4].split(",")], sys.argv[5])
