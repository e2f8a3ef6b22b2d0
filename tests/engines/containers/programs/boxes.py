"""Containers: every kind of input and result, failures, retries, time limits; the commands need a shell and little more.

`TEST_IMAGE` is the image that is run.
"""

import os
import tempfile
from dataclasses import dataclass
from typing import NamedTuple

from drawloom import (
    Cache,
    Directory,
    File,
    NodeFailed,
    Retry,
    container,
    input_path,
    output_path,
    pipeline,
    run_image,
    task,
)

IMAGE = os.environ.get("TEST_IMAGE", "drawloom-test/busybox:1")
HOSTILE = ["{{inputs.parameters.run}}", "${HOME} $(ls) `ls`", "'\"\\ ", "", "two\nlines", "-n", "☃😀", "y", "{{=1+1}}"]


class Counted(NamedTuple):
    first: File
    lines: int
    share: float
    full: bool
    words: list[str]


@dataclass(frozen=True)
class Named:
    text: str
    tags: dict[str, int]


@task
def written(text: str) -> File:
    path = os.path.join(tempfile.mkdtemp(), "written.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return File(path)


@task
def content(file: File) -> str:
    with open(file, encoding="utf-8") as opened:
        return opened.read()


@task
def names(folder: Directory) -> list[str]:
    return sorted(os.listdir(folder.path))


@container
def echoed(text: str) -> str:
    return run_image(IMAGE, ["sh", "-c", 'printf %s "$1" >"$2"', "sh", text, output_path()])


@container
def copied(text: str) -> str:
    return run_image(IMAGE, ["cp", input_path(text), output_path()])


@container
def described(number: int, ratio: float, flag: bool, text: str, mark: str = "=") -> str:
    command = 'printf "%s|%s|%s|%s" "$@" >"$0"'
    joined = ("number", mark, number)
    return run_image(IMAGE, ["sh", "-c", command, output_path(), joined, ratio, flag, text])


@container
def counted(file: File) -> Counted:
    command = """set -e
head -n 1 "$1" >"$2"; wc -l <"$1" >"$3"; echo 2.5e-1 >"$4"; echo true >"$5"; echo '["a", "\u2603"]' >"$6"
echo counted "$1"; echo done >&2"""
    outputs = [output_path(name) for name in ("lines", "share", "full", "words")]
    return run_image(IMAGE, ["sh", "-c", command, "sh", file, output_path("first", suffix=".txt"), *outputs])


@container
def merged(numbers: list[int], tags: dict[str, int], maybe: str | None) -> Named:
    command = 'cat "$1" "$3" >"$4"; cp "$2" "$5"'
    return run_image(IMAGE, ["sh", "-c", command, "sh", numbers, tags, maybe, output_path("text"), output_path("tags")])


@container
def unpacked(folder: Directory) -> Directory:
    command = 'cd "$1" && for f in *; do cp "$f" "$2/new-$f"; done; mkdir "$2/inner"; echo x >"$2/inner/y"'
    return run_image(IMAGE, ["sh", "-c", command, "sh", folder, output_path()])


@container
def spoken(greeting: str) -> str:
    return run_image(
        IMAGE,
        ["sh", "-c", 'printf "%s %s" "$WORD" "$root" >"$1"', "sh", output_path()],
        env={"WORD": "it's {{x}}", "root": "r"},
    )


@container
def ending(code: int) -> int:
    return run_image(IMAGE, ["sh", "-c", 'echo 7 >"$1"; echo "ends with $0" >&2; exit "$0"', code, output_path()])


@container
def leaving(text: str) -> int:
    return run_image(IMAGE, ["sh", "-c", '[ -z "$1" ] || printf %s "$1" >"$2"', "sh", text, output_path()])


@container
def missing() -> None:
    run_image(IMAGE, ["no-such-program"])


@container(retry=Retry(max_attempts=3), independent=True)
def flaky(code: int) -> int:
    return run_image(IMAGE, ["sh", "-c", 'exit "$0"', code])


@container(attempt_timeout_seconds=2)
def sleeping(seconds: int) -> None:
    run_image(IMAGE, ["sleep", seconds])


@container
def named(program: str) -> None:
    run_image(IMAGE, [program, "echo", "no"])


@container(cache=Cache(True))
def kept(text: str) -> str:
    return run_image(IMAGE, ["sh", "-c", 'echo "$1" >"$2"', "sh", text, output_path()])


@pipeline
def hostile(texts: list[str]) -> list[str]:
    return [echoed(text) + copied(text) for text in texts]


@pipeline
def kinds(number: int, ratio: float, flag: bool, text: str) -> tuple[str, Named, str]:
    named = merged([number, 2], {"a": number}, None)
    return described(number, ratio, flag, text), named, spoken(text)


@pipeline
def files(text: str) -> tuple[str, int, float, bool, list[str], list[str]]:
    found = counted(written(text))
    return content(found.first), found.lines, found.share, found.full, found.words, names(unpacked(folder_of(text)))


@task
def folder_of(text: str) -> Directory:
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "a.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    return Directory(folder, "folder")


@pipeline
def failing(code: int) -> int:
    return ending(code)


@pipeline
def handled(codes: list[int]) -> list[int]:
    found = []
    for code in codes:
        try:
            found.append(ending(code))
        except NodeFailed:
            found.append(-1)
    return found


@pipeline
def left(text: str) -> int:
    return leaving(text)


@pipeline
def not_there() -> None:
    missing()


@pipeline
def again(code: int) -> int:
    return flaky(code)


@pipeline
def late(seconds: int) -> None:
    sleeping(seconds)


@pipeline
def unnamed(program: str) -> None:
    named(program)


@pipeline
def twice(text: str) -> str:
    return kept(text)


@container
def waiting(seconds: int) -> None:
    run_image(IMAGE, ["sleep", seconds])


@pipeline(run_timeout_seconds=0.3)
def hurried(seconds: int) -> None:
    waiting(seconds)


@pipeline(run_timeout_seconds=3)
def unhurried(seconds: int) -> None:
    waiting(seconds)


CASES = {
    "hostile": (hostile, {"texts": HOSTILE}),
    "kinds": (kinds, {"number": -3, "ratio": 1e-7, "flag": True, "text": "{{x}} 'q'\n"}),
    "files": (files, {"text": "one {{x}}\ntwo\n☃\n"}),
    "failing": (failing, {"code": 3}),
    "handled": (handled, {"codes": [0, 1, 75, 76, 0]}),
    "nothing": (left, {"text": ""}),
    "no-number": (left, {"text": "4 or 5"}),
    "number": (left, {"text": " 41\n"}),
    "missing": (not_there, {}),
    "again": (again, {"code": 9}),
    "late": (late, {"seconds": 60}),
    "unnamed": (unnamed, {"program": ""}),
    "twice": (twice, {"text": "a"}),
}
