"""`drawloom completion`: the script that makes a shell complete drawloom's commands; what they complete is in
`cli.complete_values`.

The script is click's own. While it asks, no pipeline is imported and nothing is written.
"""

from __future__ import annotations

import os
from typing import Any, Final

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

__all__ = ["VARIABLE", "completion"]

VARIABLE: Final = "_DRAWLOOM_COMPLETE"  # what the scripts set when they ask; click derives it from the command's name


class _Bash(BashComplete):
    """Bash takes words apart at `:` and `=`; `file.py:name` is one word here."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = os.environ["COMP_WORDS"].split("\n")
        position = int(os.environ["COMP_CWORD"])
        words = words[: position + 1]
        if len(words) <= position:
            words.append("")
        joined: list[str] = []
        for k, word in enumerate(words):
            if joined and k > 1 and (word.startswith(":") or words[k - 1].endswith(":")):
                joined[-1] += word
            else:
                joined.append(word)
        incomplete = joined.pop()
        self._given = incomplete.rpartition(":")[0] + ":" if ":" in incomplete else ""
        return [_unquoted(word) for word in joined[1:]], _unquoted(incomplete)

    def format_completion(self, item: CompletionItem[Any]) -> str:
        value = item.value
        return f"{item.type},{value.removeprefix(self._given) if self._given else value}"


def _unquoted(word: str) -> str:
    return word.strip("'\"")


add_completion_class(_Bash, "bash")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete drawloom's commands.

    \b
    bash, in ~/.bashrc:  eval "$(drawloom completion bash)"
    zsh, in ~/.zshrc:    eval "$(drawloom completion zsh)"
    fish:                drawloom completion fish > ~/.config/fish/completions/drawloom.fish
    """
    from drawloom.cli.output import write

    found = get_completion_class(shell)
    assert found is not None, "click knows the three"
    write(found(ctx.find_root().command, {}, "drawloom", VARIABLE).source(), end="")
