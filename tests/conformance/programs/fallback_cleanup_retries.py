"""Everything for bad days: attempts made again, then another source, then cleaning up, for many jobs of which some fail
in each way."""

from drawloom import Retry, pipeline, task

TAGS = {"scale"}


class Busy(Exception):
    """Goes away by itself, now and then."""


class Gone(Exception):
    """Doesn't come back."""


@task
def jobs(count: int) -> list[int]:
    return list(range(count))


@task(retry=Retry(max_attempts=3, delay_seconds=0.001, on=Busy))
def primary(folder: str, job: int) -> str:
    with open(f"{folder}-{job}", "a+") as file:
        file.write("attempt\n")
        file.seek(0)
        attempts = len(file.readlines())
    if job % 5 == 4:
        raise Gone(f"job {job}")
    if job % 4 == 3 or attempts <= job % 4:
        raise Busy(f"job {job}")
    return f"primary {job}"


@task(retry=Retry(max_attempts=2))
def secondary(job: int) -> str:
    if job % 10 == 9:
        raise KeyError(job)
    return f"secondary {job}"


@task
def note(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@task
def summary(lines: list[str]) -> dict[str, int]:
    firsts = [line.split()[0] for line in lines]
    return {first: firsts.count(first) for first in dict.fromkeys(firsts)}


@pipeline
def one_job(path: str, job: int) -> str:
    note(path, f"start {job}")
    try:
        made = primary(path, job)
    except (Busy, Gone):
        try:
            made = secondary(job)
        except KeyError:
            made = "nobody did it"
    finally:
        note(path, f"clean {job}")
    return made


@pipeline
def many_jobs(path: str, count: int, strict: bool) -> dict[str, int]:
    lines = []
    for job in jobs(count):
        lines.append(one_job(path, job))
    if strict:
        lines.append(secondary(9))
    note(path, "end")
    return summary(lines)


CASES = {
    "twenty": (many_jobs, {"count": 20, "strict": False}),
    "strict": (many_jobs, {"count": 6, "strict": True}),
    "none": (many_jobs, {"count": 0, "strict": False}),
}
