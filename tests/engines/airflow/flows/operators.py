"""What Airflow has of its own, as tasks: operators with typed inputs and results."""

from __future__ import annotations

from drawloom import engine_node, for_each, pipeline, run_on_engine, task

__all__ = ["counted", "each", "failing", "handled", "several", "unneeded"]

BASH = "airflow.providers.standard.operators.bash.BashOperator"


@engine_node
def length(text: str, add: int) -> int:
    """The number of bytes of a text, as a shell counts them, and some more."""
    return run_on_engine(
        "airflow",
        operator=BASH,
        bash_command='echo $(( $(printf %s "$TEXT" | wc -c) + ADD ))',
        env={"TEXT": "{{ inputs.text }}", "ADD": "{{ inputs.add }}"},
        append_env=True,
    )


@engine_node
def breaks(code: int) -> int:
    return run_on_engine("airflow", operator=BASH, bash_command="exit $CODE", env={"CODE": "{{ inputs.code }}"})


@task
def shout(text: str) -> str:
    return text.upper()


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def boom(text: str) -> str:
    raise ValueError(text)


@pipeline
def counted(text: str, add: int = 1) -> int:
    return length(shout(text), add)


@pipeline
def each(texts: list[str]) -> int:
    return total(for_each(texts, lambda text: length(text, 0)))


@pipeline
def failing(code: int = 3) -> int:
    return breaks(code)


@pipeline
def handled(code: int = 3) -> int:
    try:
        found = breaks(code)
    except Exception:
        found = -1
    return total([found, 10])


@pipeline
def unneeded(text: str) -> int:
    return length(boom(text), 1)


@pipeline
def several(wanted: bool) -> int:
    return length("four", 0) if wanted else 0
