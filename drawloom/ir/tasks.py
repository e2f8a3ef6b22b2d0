"""A task's interface: its function, its ports, its policies. Apart from `ir.nodes`, because a step needs no more than
this.

Frozen, slotted dataclasses without work in them. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from drawloom.frozen import dataclass
from drawloom.ir.policies import Policies
from drawloom.ir.types import ANY, Type

__all__ = [
    "Container",
    "EngineSpec",
    "FunctionRef",
    "InputPath",
    "InputText",
    "OutputPath",
    "Port",
    "TaskSpec",
    "how_it_runs",
]


@dataclass(frozen=True, slots=True)
class Port:
    """A typed name on the edge of a task, a block or a pipeline; `default` is a constant's JSON, None if required."""

    name: str
    type: Type = ANY
    default: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A Python function by name, and the version of its code.

    Args:
        module: the importable module's name.
        qualname: the function's qualified name in it.
        digest: SHA-256 hex of the canonical form of the code and of what it reaches (`dsl.fingerprint`).
        scope: how far the digest reaches: `function` (all names resolved), `module` or `bundle` (widened).
    """

    module: str
    qualname: str
    digest: str = ""
    scope: str = "function"


@dataclass(frozen=True, slots=True)
class InputPath:
    """In a command: the path of the file, or folder, that holds the input `name` in the container."""

    name: str


@dataclass(frozen=True, slots=True)
class InputText:
    """In a command: the value of the input `name` itself, a text or a number."""

    name: str


@dataclass(frozen=True, slots=True)
class OutputPath:
    """In a command: the path where the container leaves a result: the field `name`, "" for a result without fields."""

    name: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """What a task runs in place of a Python function: a command of an image.

    Args:
        image: the image's name, as a container registry or a local store knows it.
        command: the program and its arguments, each the parts it is joined of.
        env: (name, value) of the variables it is given beside the image's own.
    """

    image: str
    command: tuple[tuple[str | InputPath | InputText | OutputPath, ...], ...] = ()
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What a task runs in place of a Python function: something that one engine alone has.

    Args:
        engine: the engine's name.
        spec: the canonical JSON of that engine's own description.
    """

    engine: str
    spec: str


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task's interface: listed once in a pipeline, named by each of its calls.

    Args:
        name: `module:qualname`, unique in the pipeline.
        function: the Python function.
        inputs: its parameters in order.
        result: the type of what it returns; the port is named `result`.
        effect: True if it returns nothing and is run for its effect.
        policies: how its calls are run unless a call says otherwise.
        container: the command that is run in the function's place; the function then tells the interface alone.
        engine: what an engine has of its own and runs in the function's place, likewise.
    """

    name: str
    function: FunctionRef
    inputs: tuple[Port, ...] = ()
    result: Type = ANY
    effect: bool = False
    policies: Policies = Policies()
    container: Container | None = None
    engine: EngineSpec | None = None


def how_it_runs(task: TaskSpec) -> str:
    """What a task runs: a `function`, a `container`, or what an `engine` has of its own."""
    if task.container is not None:
        return "container"
    return "function" if task.engine is None else "engine"
