"""Bounded loops: a test by an expression and by a task, two carried values, no iteration at all, the bound reached."""

from drawloom import pipeline, task, while_loop


@task
def double(number: int) -> int:
    return 2 * number


@task
def is_small(number: int) -> bool:
    return number < 10


@pipeline
def by_expression(start: int, limit: int = 20) -> int:
    return while_loop(lambda n: n < limit, double, start, max_iterations=10)


@pipeline
def by_task(start: int) -> tuple[int, int]:
    return while_loop(
        lambda state: is_small(state[0]), lambda state: (double(state[0]), state[1] + 1), (start, 0), max_iterations=10
    )


@pipeline
def stopped(start: int) -> int:
    return while_loop(lambda n: n < 1000, double, start, max_iterations=2, on_limit="stop")


@pipeline
def unbounded(start: int) -> int:
    return double(while_loop(lambda n: n > 0, double, start, max_iterations=1))


CASES = {
    "expression": (by_expression, {"start": 3}),
    "no-iteration": (by_expression, {"start": 30}),
    "task": (by_task, {"start": 5}),
    "stopped": (stopped, {"start": 1}),
    "bound": (unbounded, {"start": 1}),
}
