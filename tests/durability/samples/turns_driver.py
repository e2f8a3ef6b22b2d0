"""Runs a pipeline in turns, beside other processes that do the same on the same store, and tells each result."""

import json
import sys


def main(store, executor, n, salts):
    import load_tasks

    from drawloom import api
    from drawloom.catalog.catalog import Catalog
    from drawloom.runtimes.progress import SilentProgress

    print("ready", flush=True)
    sys.stdin.readline()
    for salt in salts:
        run = api.run(
            load_tasks.work,
            {"n": n, "salt": salt, "path": f"{store}.journal"},
            catalog=store,
            executor=executor,
            progress=SilentProgress(),
        )
        known = [found.id for found in Catalog.open(store).runs()]
        print(json.dumps([run.id, salt, run.state, run.result, known]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(salt) for salt in sys.argv[4].split(",")])
