"""The commit a call writes in a hurry is, to the byte, the record that is read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drawloom.catalog.records import ValueRef, record_to_json
from drawloom.ir.canonical import canonical_json
from drawloom.ir.nodes import Call
from drawloom.ir.policies import Policies
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.runtimes.commitform import CommitForm
from drawloom.runtimes.jobs import CallPlan, Job, JobResult

digests = st.sampled_from(["", "ab" * 32, "0" * 64])
texts = st.text(max_size=8)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
refs = st.builds(ValueRef, digests, st.integers(0, 2**60), trees, digests, texts)
times = st.floats(0, 2e9)


@given(
    node=texts,
    run=texts,
    index=st.lists(st.integers(0, 10**6), max_size=3),
    inputs=st.lists(st.tuples(texts, refs), max_size=3),
    output=refs,
    outcome=st.sampled_from(["succeeded", "cached"]),
    attempt=st.integers(0, 3),
    key=digests,
    environment=digests,
    function=digests,
    log=digests,
    seconds=times,
    at=times.filter(bool),
    source=st.lists(texts, max_size=3),
)
def test_its_text_is_the_canonical_json_of_its_record(
    node, run, index, inputs, output, outcome, attempt, key, environment, function, log, seconds, at, source
):
    spec = TaskSpec("t:f", FunctionRef("t", "f"))
    plan = CallPlan(Call(node, "t:f"), spec, Policies(), print, False, None, "", CommitForm(run, node))
    job = Job(plan, tuple(index), [], None)
    job.refs = tuple(inputs)
    made = JobResult(job, outcome)
    made.attempt, made.cache_key, made.environment, made.function = attempt, key, environment, function
    made.ref, made.log_object, made.seconds, made.at, made.source = output, log, seconds, at, tuple(source)
    for _ in range(2):  # what it has learned of names and types it says again
        assert made.json_text() == canonical_json(record_to_json(made.record()))
