"""Values that break templates, quoting, YAML and floating point: as parameters, constants, items and results."""

from drawloom import for_each, pipeline, task

TEXTS = [
    "{{inputs.x}}",
    "${HOME}",
    "$(id)",
    "'\"`\\",
    "y",
    "no",
    "1e-7",
    "",
    " ",
    "a\nb\r\tc",
    "\x00",
    "🧵é",
    "%s",
    "</a>",
    "-",
]
NUMBERS = [float("nan"), float("inf"), -0.0, 1e-7, 2.0**63, 0.1 + 0.2]


@task
def keep(text: str) -> str:
    return text


@task
def pair(text: str, number: float) -> tuple[str, float]:
    return text, number


@task
def blob(size: int) -> bytes:
    return bytes(range(256)) * (size // 256)


@task
def measure(data: bytes, texts: list[str]) -> dict[str, int]:
    return {text: len(data) for text in texts}


@pipeline
def hostile(texts: list[str], numbers: list[float], long: str) -> tuple[dict[str, int], list[str], list[float], str]:
    kept = for_each(texts, keep)
    pair("{{= 1 }}", float("nan"))
    return measure(blob(5 * 2**20), kept), kept, numbers, keep(long)


CASES = {"hostile": (hostile, {"texts": TEXTS[:6], "numbers": NUMBERS, "long": "".join(TEXTS) * 200})}
