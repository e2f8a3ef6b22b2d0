"""The intermediate representation: what a pipeline is, apart from how it was written and where it runs.

    types       port types, as data                       check       every problem of a pipeline, with code and fix
    operands    constants, references, expressions        checks      the rules of the check
    policies    retries, timeouts, caching                assign      which type may flow into which
    tasks       a task's interface                        infer       the type of an operand (`operators`: of operators)
    nodes       nodes, blocks, the pipeline               text        the readable form, excerpts (`notation`)
    program     a pipeline with its source places         interpret   the reference interpreter: the meaning
    walk        ways through the nodes                    evaluate    the meaning of the operators
    layout      where each node's result comes from       schema      the JSON schema (`docs/ir.schema.json`)
    sources     the part of that a step needs             export      networkx, for analysis only
    serialize   strict JSON                               envelope    values as JSON trees, and their digests
    canonical   the JSON that is digested                 slices      what one step knows of a program
                                                          protocol    what a step and its engine say to each other

The classes are frozen standard-library dataclasses with tuples inside and no live Python object; behaviour is functions
over them. Names are imported from the modules above: a step loads only those it needs. The IR imports `drawloom.errors`
and nothing else of drawloom.
"""
