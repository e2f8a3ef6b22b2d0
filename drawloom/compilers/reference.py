"""The compiler for the reference engine: the step plan as it is, the slices, the pipeline and the code bundle.

engine.json      what the engine follows: digests, and the plan's entries
pipeline.json    the IR; spans.json beside it says where the user wrote each node
functions/*.json what the digest of each task's function is made of
steps/*.json     one sealed slice for each step, and the layout
bundle.zip       the user's project and drawloom's own Python
"""

from __future__ import annotations

from typing import Final

from drawloom.compilers.base import Bundle, Compiler, Lowered, Native, Refused, Support, refuse_unsupported
from drawloom.compilers.by_steps import BY_STEPS
from drawloom.compilers.features import FEATURES
from drawloom.compilers.importable import refuse_unimportable
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.passes.plan import entry_json
from drawloom.compilers.program_files import engine_file, program_code, program_files
from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.program import Program, pipeline_digest

__all__ = ["COMPILER", "compile_reference"]


def compile_reference(program: Program, *, root: str | None = None, allow_pickle: bool = False) -> Bundle:
    """The files the reference engine runs.

    Args:
        program: a checked program.
        root: the project's folder; None to find it by the modules of the program's tasks.
        allow_pickle: whether the project allows the codec `pickle`.

    Raises:
        CompileError: E701, a feature the engine doesn't have; E703, E704, the bundle can't be made; E706, a task can't
            be imported by a step.
    """
    refuse_unsupported(program, COMPILER)
    refuse_unimportable(program)
    pipeline = program.pipeline
    code = program_code(program, root)
    plan = lower_steps(pipeline, allow_pickle=allow_pickle)
    named = {name for policies in plan.policies.values() for name, _, _ in policies.pod.secret_env}
    more: dict[str, Json] = {"body": entry_json(plan.body)}
    if named:
        more["variables"] = sorted(named)  # given to the steps, where whoever runs the engine has them
    files: dict[str, str | bytes] = {
        "engine.json": engine_file("reference", program, pipeline_digest(pipeline), digest_bytes(code), **more),
        "bundle.zip": code,
    }
    return Bundle(files | program_files(program, plan))


_SUPPORT: Final[dict[str, Support]] = {
    **dict.fromkeys(FEATURES, Native()),
    **BY_STEPS,
    "node.container@1": Lowered("the step runs it by docker or podman of its machine"),
    "node.engine@1": Refused("it has no nodes of its own"),
    "control.branch@1": Lowered("a deciding step writes a boolean per arm"),
    "control.loop@1": Lowered("a deciding step writes a boolean before each iteration"),
    "control.loop.nested@1": Lowered("a deciding step for each index vector around it"),
    "control.loop.long@1": Lowered("as any loop: it goes round as long as the boolean is true"),
    **dict.fromkeys(
        (name for name in FEATURES if name.startswith("policy.schedule")),
        Lowered(
            "nothing is started by itself: a run is made at once, for the `--logical-time` and `--interval` it is given"
        ),
    ),
    "policy.packages@1": Lowered("the packages installed beside the interpreter it is run with"),
    "policy.resources@1": Lowered("one machine, of which nothing is kept for a step"),
    "policy.resources.gpu@1": Lowered("whatever devices this machine has"),
    "policy.image@1": Lowered("the interpreter it is run with"),
    "policy.placement@1": Lowered("the one machine there is"),
    "policy.volumes@1": Lowered("what lies under these paths on this machine"),
    "policy.secrets@1": Lowered("variables of these names, where whoever runs it has them"),
    "policy.pod@1": Lowered("a process has none of these"),
    "value.file@1": Lowered("they are stored before the run begins"),
}
COMPILER: Final = Compiler("reference", _SUPPORT, compile_reference)
