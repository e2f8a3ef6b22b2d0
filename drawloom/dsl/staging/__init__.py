"""Staging: plain `if`, `for`, `while`, `try`, `and`, comprehensions and jumps over run-time values become nodes.

A function's source is rewritten in place (`rewrite`, `expressions`), compiled beside the original (`convert`), and
run on handles. Each body is kept once, where it was; the object made for a statement decides while it runs: a known
test takes one side, natively; a run-time test takes both, one after the other, into two blocks (`branches`, `loops`,
`tries`, `choices`, `comprehensions`), and what leaves them is joined (`joins`, `scopes`).
"""
