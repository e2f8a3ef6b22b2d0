"""What stands in a template for a value that Argo puts there: an input's, a task's output, the arguments of a task.

Source: Argo Workflows' doc "Workflow Variables".
"""

from __future__ import annotations

from typing import Any

__all__ = ["arguments_of", "input_tag", "output_tag"]

# Any: Argo's objects as JSON trees


def input_tag(name: str) -> str:
    """The input parameter `name` of the template itself."""
    return f"{{{{inputs.parameters.{name}}}}}"


def output_tag(task: str, name: str, kind: str = "tasks") -> str:
    """The output parameter `name` of another task of a DAG, or of one of its `steps`."""
    return f"{{{{{kind}.{task}.outputs.parameters.{name}}}}}"


def arguments_of(**given: str) -> dict[str, Any]:
    """The arguments of a task, by the names of the inputs."""
    return {"parameters": [{"name": name, "value": value} for name, value in given.items()]}
