"""drawloom: write a pipeline once as plain typed Python, run it anywhere, and have every value in it versioned.

The names below are loaded when they are first used (PEP 562): importing `drawloom` costs next to nothing, in a shell
and in a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drawloom.api import check, compile, debug, plan, resume, run  # noqa: A004  # a verb of the API, as `re.compile` is
    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.run import Run
    from drawloom.compilers.base import Bundle
    from drawloom.deploying import Deployment, deploy
    from drawloom.dsl.bounded import bounded
    from drawloom.dsl.container import container, input_path, output_path, run_image
    from drawloom.dsl.control import branch, for_each, try_, while_loop
    from drawloom.dsl.engine_node import engine_node, run_on_engine
    from drawloom.dsl.expressions import and_, choose, contains, flatten, is_none, length, not_, or_
    from drawloom.dsl.markers import Codec, Static
    from drawloom.dsl.pipeline import Pipeline, pipeline
    from drawloom.dsl.pods import Pod, Resources, Toleration, Volume
    from drawloom.dsl.run_facts import run_info
    from drawloom.dsl.schedule import Schedule
    from drawloom.dsl.scope import call_options
    from drawloom.dsl.task import Cache, Retry, Task, task
    from drawloom.errors import (
        BoundReached,
        CheckFailed,
        CompileError,
        CorruptObject,
        DefinitionError,
        Diagnostic,
        DrawloomError,
        EngineError,
        NodeFailed,
        ProjectError,
        RunCancelled,
        RunFailed,
        RunRefused,
        Span,
        StoreError,
        TaskFailed,
        ValueRefused,
    )
    from drawloom.runtimes.checkpoint import Checkpoint
    from drawloom.runtimes.planned import Plan
    from drawloom.runtimes.tracking import log_artifact, log_figure, log_metric
    from drawloom.values.external import External
    from drawloom.values.failure import Failure
    from drawloom.values.files import Directory, File
    from drawloom.values.secret import Secret

__all__ = [
    "BoundReached",
    "Bundle",
    "Cache",
    "Catalog",
    "CheckFailed",
    "Checkpoint",
    "Codec",
    "CompileError",
    "CorruptObject",
    "DefinitionError",
    "Deployment",
    "Diagnostic",
    "Directory",
    "DrawloomError",
    "EngineError",
    "External",
    "Failure",
    "File",
    "NodeFailed",
    "Pipeline",
    "Plan",
    "Pod",
    "ProjectError",
    "Resources",
    "Retry",
    "Run",
    "RunCancelled",
    "RunFailed",
    "RunRefused",
    "Schedule",
    "Secret",
    "Span",
    "Static",
    "StoreError",
    "Task",
    "TaskFailed",
    "Toleration",
    "ValueRefused",
    "Volume",
    "and_",
    "bounded",
    "branch",
    "call_options",
    "check",
    "choose",
    "compile",
    "container",
    "contains",
    "debug",
    "deploy",
    "engine_node",
    "flatten",
    "for_each",
    "input_path",
    "is_none",
    "length",
    "log_artifact",
    "log_figure",
    "log_metric",
    "not_",
    "or_",
    "output_path",
    "pipeline",
    "plan",
    "resume",
    "run",
    "run_image",
    "run_info",
    "run_on_engine",
    "task",
    "try_",
    "while_loop",
]

__version__ = "0.1.0"

_MODULES = {
    "api": "check compile debug plan resume run",
    "catalog.catalog": "Catalog",
    "catalog.run": "Run",
    "compilers.base": "Bundle",
    "deploying": "Deployment deploy",
    "dsl.bounded": "bounded",
    "dsl.container": "container input_path output_path run_image",
    "dsl.control": "branch for_each try_ while_loop",
    "dsl.engine_node": "engine_node run_on_engine",
    "dsl.expressions": "and_ choose contains flatten is_none length not_ or_",
    "dsl.markers": "Codec Static",
    "dsl.pipeline": "Pipeline pipeline",
    "dsl.pods": "Pod Resources Toleration Volume",
    "dsl.run_facts": "run_info",
    "dsl.schedule": "Schedule",
    "dsl.scope": "call_options",
    "dsl.task": "Cache Retry Task task",
    "errors": (
        "BoundReached CheckFailed CompileError CorruptObject DefinitionError Diagnostic DrawloomError EngineError "
        "NodeFailed ProjectError RunCancelled RunFailed RunRefused Span StoreError TaskFailed ValueRefused"
    ),
    "runtimes.checkpoint": "Checkpoint",
    "runtimes.tracking": "log_artifact log_figure log_metric",
    "runtimes.planned": "Plan",
    "values.external": "External",
    "values.failure": "Failure",
    "values.files": "Directory File",
    "values.secret": "Secret",
}
_HOMES = {name: f"drawloom.{module}" for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:  # Any: a name of the table
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'drawloom' has no attribute {name!r}")
    import importlib  # lazy: `sys.modules` has it anyway, and nothing else here needs it

    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
