"""Prints docs/errors.md: the list of all error pages. `make docs` runs it, a test keeps the page in step."""

from __future__ import annotations

from pathlib import Path

AREAS = {
    "D": "Declaring and tracing tasks and pipelines",
    "G": "The graph",
    "V": "Values",
    "S": "The store and the catalog",
    "R": "Runs",
    "P": "Project file, parameters and command line",
    "E": "Engines and compiled programs",
}
HEAD = """# Errors

Every error has a code, says what is wrong and where (your file and line), and how to fix it. Each page has a failing
program and the repaired one. Generated from the pages (`make docs`); don't edit.
"""


def page(folder: Path) -> str:
    """The list as Markdown, of the pages in `folder`."""
    lines = [HEAD]
    titles = {path.stem: path.read_text(encoding="utf-8").splitlines()[0] for path in sorted(folder.glob("[A-Z]*.md"))}
    for letter, area in AREAS.items():
        lines += [f"## {area}", ""]
        for code, title in titles.items():
            if code.startswith(letter):
                lines.append(f"- [{code}](errors/{code}.md): {title.partition(': ')[2]}")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(Path(__file__).parent), end="")
