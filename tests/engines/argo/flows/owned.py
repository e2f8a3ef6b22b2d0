"""Pipelines that run templates of a WorkflowTemplate (`templates`): what Argo has of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from drawloom import bounded, engine_node, pipeline, run_on_engine, task

NAME = "owned"


def templates(image: str) -> dict[str, Any]:
    """The WorkflowTemplate that the pipelines name."""

    def script(name: str, inputs: list[str], outputs: list[str], source: str) -> dict[str, Any]:
        return {
            "name": name,
            "inputs": {"parameters": [{"name": one} for one in inputs]},
            "outputs": {"parameters": [{"name": one, "valueFrom": {"path": f"/tmp/{one}"}} for one in outputs]},
            "container": {
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-c", source, *(f"{{{{inputs.parameters.{one}}}}}" for one in inputs)],
            },
        }

    twice = "import sys; open('/tmp/result', 'w', newline='').write(2 * sys.argv[1] + '\\n')"
    measure = (
        "import json, sys; text, numbers, flag = sys.argv[1:]\n"
        "open('/tmp/length', 'w').write(str(len(text)))\n"
        "open('/tmp/total', 'w').write(json.dumps({'sum': sum(json.loads(numbers)), 'flag': json.loads(flag)}))\n"
    )
    joined = "import json, sys; open('/tmp/result', 'w').write(' '.join(json.loads(sys.argv[1])))"
    ending = "import sys; open('/tmp/result', 'w').write('ended'); sys.exit(int(sys.argv[1]))"
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": NAME},
        "spec": {
            "templates": [
                script("twice", ["text"], ["result"], twice),
                script("measure", ["text", "numbers", "flag"], ["length", "total"], measure),
                script("ending", ["code"], ["result"], ending),
                script("pausing", ["seconds"], [], "import sys, time; time.sleep(int(sys.argv[1]))"),
                script("joined", ["texts"], ["result"], joined),
                script("wordy", [], ["result"], "open('/tmp/result', 'w').write('many')"),
            ]
        },
    }


class Measured(NamedTuple):
    """What `measure` gives."""

    length: int
    total: dict[str, int | bool]


@engine_node
def twice(text: str) -> str:
    """The text two times."""
    return run_on_engine("argo", templateRef={"name": NAME, "template": "twice"})


@engine_node
def measure(text: str, numbers: list[int], flag: bool = True) -> Measured:
    """Several inputs and several results."""
    return run_on_engine("argo", templateRef={"name": NAME, "template": "measure"})


@engine_node
def ending(code: int) -> str:
    """Ends with an exit code."""
    return run_on_engine("argo", templateRef={"name": NAME, "template": "ending"})


@engine_node
def pausing(seconds: int) -> None:
    """Gives nothing."""
    run_on_engine("argo", templateRef={"name": NAME, "template": "pausing"})


@engine_node
def wordy() -> int:
    """Gives what is no number."""
    return run_on_engine("argo", templateRef={"name": NAME, "template": "wordy"})


@engine_node
def missing(text: str) -> str:
    """Names a template that isn't there."""
    return run_on_engine("argo", templateRef={"name": "nowhere", "template": "twice"})


@task
def length(text: str) -> int:
    """The number of characters."""
    return len(text)


@task
def described(measured: Measured) -> str:
    """A measure as a text."""
    return f"{measured.length} {sorted(measured.total.items())}"


@task
def fall(text: str) -> str:
    """Fails for the text `bad`."""
    if text == "bad":
        raise ValueError(text)
    return text


@pipeline
def texts(texts: list[str]) -> list[str]:
    """Once per text."""
    return [twice(text) for text in texts]


@pipeline
def kinds(text: str, numbers: list[int]) -> str:
    """Numbers, lists, truth values, fields."""
    return described(measure(text, numbers))


@pipeline
def handled(codes: list[int]) -> list[str]:
    """A failure of a template's is handled, and what depends on it is passed over."""
    found = []
    for code in codes:
        try:
            said = twice(ending(code))
        except Exception as error:
            said = str(error)
        found.append(said)
    return found


@pipeline
def chosen(n: int) -> int:
    """In a branch and in a loop."""
    text = "a"
    if n > 1:
        text = twice("b")
    for _ in bounded(5):
        if length(text) >= n:
            break
        text = twice(text)
    return length(text)


@pipeline
def failing(code: int) -> int:
    """Fails at a template, and what comes after it is skipped."""
    pausing(0)
    return length(ending(code))


@pipeline
def behind(text: str) -> str:
    """What comes before it may fail."""
    return twice(fall(text))


@pipeline(run_timeout_seconds=1)
def limited(text: str) -> str:
    """Has no time."""
    return twice(text)


@pipeline
def no_number() -> int:
    """What a template gives isn't what the task is declared to return."""
    return wordy() + 1


@pipeline
def nowhere(text: str) -> str:
    """There is no such template."""
    return missing(text)


@engine_node
def joined(texts: list[str]) -> str:
    """A list as an input."""
    return run_on_engine("argo", templateRef={"name": NAME, "template": "joined"})


@pipeline
def listed(texts: list[str]) -> str:
    """Texts in a list, with braces too."""
    return joined(texts)
