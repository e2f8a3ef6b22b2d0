"""Plain modules with one thing wrong in them, which has to be refused at its line.

A mutation is a few lines put somewhere into the pipeline. Those in `MUTATIONS` work on values that tasks have just given,
so they are known at run time only, whatever the program around them is.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st
from plain_scope import Choices
from plain_sources import Plain, plain_source
from plain_statements import Mark

__all__ = ["MUTATIONS", "Mutated", "mutated", "mutated_source"]

GIVEN = {
    "I": "zi = add(1)",
    "S": "zs = label(1)",
    "L": "zl = count_up(2)",
    "W": "zw = words(2)",
    "T": "zt = table(1, 2)",
    "O": "zo = maybe(1)",
    "B": "zb = yes(1)",
    "P": "zp = point(1, 'a')",
}
# name -> (which values it needs, its lines)
MUTATIONS: dict[str, tuple[str, str]] = {
    "argument of a wrong type": ("S", "add(zs)"),
    "constant of a wrong type": ("", "add('text')"),
    "list of a wrong type": ("W", "total(zw)"),
    "item of a wrong type": ("S", "total([1, zs])"),
    "dict of a wrong type": ("S", "weigh({'a': zs})"),
    "optional where none may be": ("O", "note(zo)"),
    "missing argument": ("", "pair(1)"),
    "unknown keyword": ("I", "add(zi, c=2)"),
    "too many arguments": ("I", "add(zi, 2, 3)"),
    "name bound on one side": ("I", "if zi > 3:\n    zz = 1\nadd(zz)"),
    "name bound in a loop": ("L", "for zq in zl:\n    zz = zq\nadd(zz)"),
    "loop's own name behind it": ("L", "for zq in zl:\n    note(zq)\nadd(zq)"),
    "name bound in one case": ("I", "match zi:\n    case 1:\n        zz = 1\nadd(zz)"),
    "name bound in a try": ("I", "try:\n    zz = check(zi)\nexcept Bad:\n    pass\nadd(zz)"),
    "name returned that may be unbound": ("I", "if zi > 3:\n    zz = 1\nnote(zz + 1)"),
    "while without a bound": ("I", "while zi > 0:\n    zi = add(zi, -1)"),
    "while on a call": ("", "while yes(1):\n    note(1)"),
    "while on a list": ("L", "while zl:\n    zl = zl[1:]"),
    "bound known at run time": ("I", "for _ in bounded(zi):\n    note(1)"),
    "key that can't be hashed": ("L", "note(len({zl: 1}))"),
    "key of a known dict": ("I", "note({1: 2}.get(zi, 3))"),
    "isinstance": ("I", "note(1 if type(zi) is int else 2)"),
    "hash": ("I", "note(hash(zi))"),
    "id": ("I", "id(zi)"),
    "method of a class": ("S", "shout(str.upper(zs), 1)"),
    "method of a text": ("S", "shout(zs.upper(), 1)"),
    "method of a list": ("L", "note(zl.index(1))"),
    "method of a dict": ("T", "note(zt.pop('a'))"),
    "print": ("I", "print(zi)"),
    "percent": ("I", "shout('%s' % zi, 1)"),
    "format": ("I", "shout('{}'.format(zi), 1)"),
    "join": ("W", "shout(','.join(zw), 1)"),
    "foreign call": ("I", "note(math.floor(zi))"),
    "foreign call of a list": ("L", "shout(json.dumps(zl), 1)"),
    "foreign call by keyword": ("I", "shout(json.dumps([], indent=zi), 1)"),
    "partial": ("I", "note(partial(math.pow, zi)(2))"),
    "reduce": ("L", "note(reduce(lambda a, b: a + b, zl))"),
    "map": ("L", "for zq in map(neg, zl):\n    note(zq)"),
    "sorted by a key": ("L", "total(sorted(zl, key=lambda q: -q))"),
    "loop over a number": ("I", "for zq in zi:\n    note(zq)"),
    "comprehension over a number": ("I", "total([q for q in zi])"),
    "loop over an optional": ("O", "for zq in zo:\n    note(zq)"),
    "range of a text": ("S", "for zq in range(zs):\n    note(zq)"),
    "unknown attribute": ("P", "note(zp.y)"),
    "attribute of a number": ("I", "note(zi.nope)"),
    "unknown method": ("S", "shout(zs.nope(), 1)"),
    "is": ("IL", "if zi is zl:\n    note(1)"),
    "is a number": ("I", "za = 1\nif zi is za:\n    note(1)"),
    "star on the left": ("L", "za, *zc = zl\nnote(za)"),
    "star in a call": ("L", "add(*zl)"),
    "star in a list": ("L", "total([1, *zl.copy()])"),
    "two stars in a call": ("T", "add(**zt)"),
    "outer dict under a test": ("I", "if zi > 0:\n    BOX['a'] = 1"),
    "outer attribute under a test": ("I", "if zi > 0:\n    BOX.extra = 1"),
    "dict changed under a test": ("I", "zd = {}\nif zi > 0:\n    zd['a'] = 1\nnote(len(zd))"),
    "dict changed in a loop": ("L", "zd = {}\nfor zq in zl:\n    zd['a'] = zq\nnote(len(zd))"),
    "dict method under a test": ("I", "zd = {}\nif zi > 0:\n    zd.update(a=1)\nnote(len(zd))"),
    "set changed under a test": ("I", "ze = set()\nif zi > 0:\n    ze.add(1)\nnote(len(ze))"),
    "list changed otherwise": ("I", "ze = [1]\nif zi > 0:\n    ze.pop()\nnote(len(ze))"),
    "list item set under a test": ("I", "ze = [1]\nif zi > 0:\n    ze[0] = 2\nnote(len(ze))"),
    "append to a result": ("L", "zl.append(1)"),
    "item set in a result": ("L", "zl[0] = 1"),
    "item deleted in a result": ("T", "del zt['a']"),
    "attribute set in a result": ("P", "zp.x = 1"),
    "number and text": ("I", "shout(zi + 'a', 1)"),
    "order of number and text": ("I", "if zi < 'a':\n    note(1)"),
    "length of a number": ("I", "note(len(zi))"),
    "list by a text": ("LS", "note(zl[zs])"),
    "negative text": ("S", "note(-zs)"),
    "sum of texts": ("W", "note(sum(zw))"),
    "result of nothing": ("", "za = note(1)\nadd(za)"),
    "nothing in a text": ("", "za = note(1)\nshout(f'{za}', 1)"),
    "test of nothing": ("", "if note(1):\n    note(2)"),
    "call of a result": ("I", "zi(1)"),
    "chosen task": ("I", "if zi > 0:\n    zg = add\nelse:\n    zg = neg\nnote(zg(1))"),
    "chosen function": ("I", "zg = add if zi else neg\nnote(zg(1))"),
    "known error under a test": ("I", "if zi > 0:\n    {}['missing']"),
    "recursion under a test": ("I", "def zr(k):\n    return zr(k - 1) if k > 0 else 0\nnote(zr(zi))"),
    "class pattern": ("I", "match zi:\n    case int():\n        note(1)"),
    "pattern of a shape": ("L", "match zl:\n    case [a, b]:\n        note(a)"),
    "pattern of a mapping": ("T", "match zt:\n    case {'a': a}:\n        note(a)"),
    "foreign scope": ("I", "with suppress(Bad):\n    note(zi)"),
    "foreign object": ("I", "move(Point(zi, 'a'), 1)"),
    "iterator by hand": ("L", "note(next(iter(zl)))"),
    "generator kept": ("L", "zg = (q for q in zl)\nfor zq in zg:\n    note(zq)\nnote(len(zg))"),
    "yield": ("I", "yield zi"),
    "set of what can't be known": ("I", "note(2 if zi in {zi} - {1} else 1)"),
    "bytes": ("S", "note(len(bytes(zs, 'utf-8')))"),
    "chr": ("I", "shout(chr(zi), 1)"),
    "divmod": ("I", "note(divmod(zi, 2)[0])"),
    "getattr": ("PS", "note(getattr(zp, zs))"),
    "setattr": ("P", "setattr(zp, 'x', 1)"),
    "exec": ("S", "exec(zs)"),
    "float format": ("I", "shout(format(zi, '.2f'), 1)"),
}
ANYWHERE = frozenset({"yield", "while without a bound"})  # refused at any line, and perhaps before they are reached
EVEN_UNREACHED = "yield"  # makes a generator of the function


class Mutated:
    """A module with a mutation: its name, and the lines it was put in at (1-based, both included)."""

    def __init__(self, plain: Plain, name: str, text: str, first: int, last: int) -> None:
        self.plain = plain
        self.name = name
        self.text = text
        self.lines = range(first, last + 1)

    def __repr__(self) -> str:
        return f"{self.name}, lines {self.lines[0]} to {self.lines[-1]}\n{self.text}"


@st.composite
def mutated(draw: st.DrawFn) -> Mutated:
    """Modules with one thing wrong in them."""
    return mutated_source(draw(st.randoms(use_true_random=False)))


def mutated_source(random: Random) -> Mutated:
    """A module with one thing wrong in it, by what `random` gives."""
    choices = Choices(random)
    plain = plain_source(random, sets=1, depths=(1, 1, 2))
    line = choices.pick(sorted(plain.marks))
    name = choices.pick(tuple(MUTATIONS))
    return mutation(plain, line, plain.marks[line], name)


def mutation(plain: Plain, line: int, mark: Mark, name: str) -> Mutated:
    """The module with a mutation before a line of it. `TICK` tells whether the place is met while tracing."""
    needs, text = MUTATIONS[name]
    lines = plain.text.splitlines()
    indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
    more = [*[GIVEN[one] for one in needs], "TICK()", *text.split("\n")]
    lines[line - 1 : line - 1] = [f"{indent}{one}" for one in more]
    return Mutated(plain, name, "\n".join(lines) + "\n", line + len(needs), line + len(more) - 1)
