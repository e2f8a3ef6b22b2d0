"""What a task needs of its machine and its pod: resources, placement, labels, a folder, and variables of its own."""

import os

from drawloom import Pod, Resources, Toleration, Volume, call_options, pipeline, task

HOSTILE = "{{workflow.name}} ${HOME} $(id) '\"\\ \n\t: # é 🧵"
SMALL = Resources(cpu="10m", memory="128Mi", disk="64Mi")
ANYWHERE = Pod(
    node_selector={"kubernetes.io/os": "linux"},
    tolerations=["dedicated=small:NoSchedule", Toleration("maintenance", effect="NoExecute", seconds=30)],
    labels={"team": "looms", "example.com/part": "A_1.b"},
    annotations={"example.com/note": "y: \"no\" 'on' # 1e3 é 🧵"},
    volumes=[Volume("/var/spare", empty_dir=True, size="16Mi")],
)


@task(env={"MODE": "fast", "EMPTY": ""})
def mode(x: int) -> str:
    return f"{x} {os.environ['MODE']} {os.environ['EMPTY']!r} {os.environ.get('DEPTH', 'none')}"


@task(env={"TEXT": HOSTILE}, resources=SMALL, pod=ANYWHERE)
def text(x: int) -> str:
    os.environ["TEXT"] += str(x)  # the next call has it as it was declared
    return os.environ["TEXT"]


@task(resources=SMALL, pod=ANYWHERE)
def plain(x: int) -> str:
    return os.environ.get("MODE", "none") + os.environ.get("TEXT", "none") + str(x)


@task(env={"MODE": "slow"}, pod=Pod(labels={"team": "looms"}))
def fails(x: int) -> int:
    raise ValueError(os.environ["MODE"] + str(x))


@pipeline
def apart(x: int) -> list[str]:
    with call_options(env={"MODE": "scoped", "EMPTY": "0", "DEPTH": "1"}):
        first = mode(x)
    second = mode.with_options(env={"MODE": "own", "EMPTY": "é", "DEPTH": "2"}, resources=SMALL)(x)
    return [first, second, mode(x), plain(x)]


@pipeline
def each(xs: list[int]) -> list[str]:
    return [text(x) + plain(x) for x in xs]


@pipeline
def failing(x: int) -> str:
    try:
        fails(x)
    except ValueError:
        return mode(x)
    return plain(x)


CASES = {
    "apart": (apart, {"x": 3}),
    "each": (each, {"xs": [1, 2, 3]}),
    "failing": (failing, {"x": 7}),
}
