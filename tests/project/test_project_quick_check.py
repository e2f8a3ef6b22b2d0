"""The quick check of a project file: it accepts nothing that the schema refuses, and reads it as the schema does."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drawloom.errors import ProjectError
from drawloom.project.model import ProjectModel, quickly_read
from drawloom.project.schema import read_document

TEXTS = st.sampled_from(
    (
        "",
        "default",
        "threads",
        "inline",
        "s3://b/p",
        "a.py:x",
        "pkg.mod:x",
        ":x",
        "x:",
        "a:b:c",
        "A",
        "-a",
        "a\n",
        "a\nb:c",
        "a:\n",
        "a.b_c-d",
        "x" * 63,
        "x" * 64,
        "é",
        "🎉:🎉",
        '"quoted"',
        "{{",
        "0",
    )
)
ANYTHING = st.one_of(
    TEXTS,
    st.text(max_size=5),
    st.booleans(),
    st.integers(-1, 3),
    st.sampled_from((2**31, 2**63, 2**64, -(2**70), 10**30)),
    st.floats(),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    st.dates(),
)


def table(fitting: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Mostly right tables: now and then a value of any kind, or a key that isn't known."""
    right = st.fixed_dictionaries({}, optional=fitting)
    values = {key: st.one_of(strategy, ANYTHING) for key, strategy in fitting.items()}
    return right | st.fixed_dictionaries({}, optional={**values, "nonsense": ANYTHING})


PROFILES = table(
    {
        "catalog": TEXTS,
        "executor": st.sampled_from(("threads", "processes", "inline", "Threads", "none")),
        "workers": st.integers(0, 5),
        "cache": st.booleans(),
        "fail_fast": st.booleans(),
    }
)
DEPLOY_TARGETS = table(
    {
        "engine": TEXTS,
        "catalog": TEXTS,
        "server": TEXTS,
        "token_env": TEXTS,
        "insecure_skip_verify": st.booleans(),
        "username": TEXTS,
        "password_env": TEXTS,
        "dags": TEXTS,
        "dags_git": st.booleans(),
        "store": ANYTHING,
    }
)
DOCUMENTS = table(
    {
        "project": TEXTS,
        "catalog": TEXTS,
        "default_profile": TEXTS,
        "allow_pickle": st.booleans(),
        "profiles": st.dictionaries(TEXTS, PROFILES, max_size=2),
        "pipelines": st.dictionaries(TEXTS, TEXTS, max_size=2),
        "targets": st.dictionaries(TEXTS, DEPLOY_TARGETS, max_size=2),
    }
)


@given(DOCUMENTS | ANYTHING)
def test_what_the_quick_check_accepts_the_schema_reads_as_the_same(document: object) -> None:
    quick = quickly_read(document)
    if quick is not None:
        assert read_document(document, "drawloom.toml", {}) == quick


@given(DOCUMENTS)
def test_what_the_schema_refuses_the_quick_check_does_not_accept(document: object) -> None:
    try:
        read_document(document, "drawloom.toml", {})
    except ProjectError:
        assert quickly_read(document) is None


def test_a_right_document_is_accepted_by_the_quick_check() -> None:
    document = tomllib.loads(
        """
        project = "hotel-rates"
        catalog = "s3://bucket/prefix"
        default_profile = "ci"
        allow_pickle = true
        [profiles.ci]
        catalog = "here"
        executor = "processes"
        workers = 4
        cache = false
        fail_fast = true
        [pipelines]
        rates = "rates.py:rates"
        [targets.prod]
        engine = "argo"
        context = "admin@prod"
        namespace = "flows"
        env_from_secrets = ["lake-keys"]
        env = {LEVEL = "info"}
        """
    )
    model = quickly_read(document)
    assert model == read_document(document, "drawloom.toml", {})
    assert model is not None
    assert model.profiles["ci"].workers == 4
    assert model.targets["prod"].context == "admin@prod"
    assert dict(model.targets["prod"].options) == {
        "namespace": "flows",
        "env_from_secrets": ["lake-keys"],
        "env": {"LEVEL": "info"},
    }
    assert quickly_read({}) == ProjectModel()
