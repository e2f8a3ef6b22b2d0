"""The log of a task as Airflow's API gives it: what the step printed, without what Airflow says around it."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["printed_lines"]

# Any: Airflow's answers as JSON trees

_OWN: Final = "Step"  # the operators' loggers are named after their classes
_LINE: Final = re.compile(r"\[[^]]*\] \{[^}]*:\d+\} INFO - ")  # of Airflow 2


def printed_lines(answer: Any) -> list[str]:
    """The lines of a log that the operators of a DAG file wrote, each with its end.

    Args:
        answer: what the API answers: a list of events (Airflow 3), or a text (Airflow 2).
    """
    content = answer.get("content", "") if isinstance(answer, dict) else answer
    if isinstance(content, str):
        return [
            f"{_LINE.sub('', line, count=1)}\n"
            for line in content.splitlines()
            if "dag.py" in line or _LINE.match(line)
        ]
    return [f"{one.get('event', '')}\n" for one in content if _is_own(one)]


def _is_own(event: Any) -> bool:
    return isinstance(event, dict) and str(event.get("logger", "")).rpartition(".")[2] in (_OWN, "Begin", "End")
