"""Values that break templates, quoting, YAML and numbers, everywhere a value can be: parameters, constants, items, keys,
tests, outputs, effects, texts of exceptions; one of 5 MB."""

from drawloom import pipeline, task

TAGS = {"scale"}
TEXTS = [
    "{{inputs.parameters.x}}",
    "{{= 1 }}",
    "${HOME}$(id)`id`",
    "'\"\\",
    "y",
    "no",
    "null",
    "1e-7",
    "",
    " ",
    "a\nb\r\tc",
    "\x00\x1b",
    "🧵é\u202e\u2028",
    "%s%n",
    "</a>&amp;",
    "- #: {",
]
NUMBERS = [float("nan"), float("inf"), -0.0, 1e-7, 2.0**63, 0.1 + 0.2]


class Hostile(Exception):
    """Raised with a hostile text."""


@task
def keep(text: str) -> str:
    return text


@task
def twice(number: float) -> float:
    return number + number


@task
def shift(number: int) -> int:
    return number + 1


@task
def refuse(text: str) -> str:
    raise Hostile(text)


@task
def lookup(table: dict[str, int], key: str) -> int:
    return table[key]


@task
def note(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{line!r}\n")


@pipeline
def everywhere(
    path: str, texts: list[str], numbers: list[float], big: int
) -> tuple[dict[str, int], list[str], list[float], int, str]:
    kept = [keep(text) for text in texts]
    table = {keep(text): len(text) for text in texts}
    found = 0
    for text in texts:
        if text == "y" or text in ("no", "null", "{{= 1 }}", "${HOME}$(id)`id`"):
            found += lookup(table, text)
        note(path, f"{text}|{{}}|{found}")
    try:
        said = refuse(kept[0] if kept else "{{none}}")
    except Hostile:
        said = keep("{{caught}} ${x} '\"")
    return table, kept, [twice(number) for number in numbers], shift(big), said


@pipeline
def large(text: str, count: int) -> tuple[str, int, list[str]]:
    made = keep(text * count)
    parts = [made[:3], made[-3:]]
    if len(made) > 1_000_000:
        parts.append("large")
    return keep(made), len(made), [keep(part) for part in parts]


@pipeline
def raised(text: str) -> str:
    return keep(refuse(text))


CASES = {
    "all": (everywhere, {"texts": TEXTS, "numbers": NUMBERS, "big": 2**63}),
    "none": (everywhere, {"texts": [], "numbers": [], "big": -(2**63) - 1}),
    "five-megabytes": (large, {"text": "🧵{{x}}\n", "count": 5 * 2**20 // 10}),
    "raised-template": (raised, {"text": "{{workflow.name}}${x}'\"\\\n🧵"}),
    "raised-empty": (raised, {"text": ""}),
}
