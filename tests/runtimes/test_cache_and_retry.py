"""What a cache key is made of, which calls have one, and which failures are tried again."""

import sys

import pytest

from drawloom.catalog.records import FailureInfo
from drawloom.ir.operands import Param
from drawloom.ir.policies import CachePolicy, Policies, RetryPolicy
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.ir.types import Type
from drawloom.runtimes.cache import cache_key, is_cacheable
from drawloom.runtimes.environment import environment_digest, installed, normal_name, python_minor
from drawloom.runtimes.retry import delay_seconds, is_retried


def test_python_minor_is_two_numbers():
    assert python_minor() == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("pandas", "pandas"), ("Scikit_Learn[extra]>=1.5", "scikit-learn"), (" a.b ; python_version<'3'", "a-b")],
)
def test_a_requirement_has_a_normal_name(requirement, name):
    assert normal_name(requirement) == name


def test_installed_distributions_are_seen_with_their_versions():
    found = dict(installed())
    assert found["pytest"] == pytest.__version__
    assert "drawloom" not in found


def test_declared_packages_count_by_their_installed_version_alone():
    def of(*packages: str) -> str:
        return environment_digest(Policies(packages=packages))

    assert of("pytest>=1") == of("PyTest")
    assert of("pytest") != of("pytest", "hypothesis")


def spec(digest="d", effect=False, result="int"):
    return TaskSpec("m:f", FunctionRef("m", "f", digest), result=Type(result), effect=effect)


INPUTS = (("a", Param("p")),)


@pytest.mark.parametrize(
    ("inputs", "task", "enabled", "expected"),
    [
        (INPUTS, spec(), None, True),
        ((), spec(), None, False),
        (INPUTS, spec(effect=True), None, False),
        ((), spec(), True, True),
        (INPUTS, spec(effect=True), True, True),
        (INPUTS, spec(), False, False),
        (INPUTS, spec(digest=""), True, False),
    ],
)
def test_the_cache_rule(inputs, task, enabled, expected):
    assert is_cacheable(inputs, task, Policies(cache=CachePolicy(enabled))) is expected


def test_the_key_depends_on_all_that_the_result_depends_on():
    base = {"spec": spec(), "policies": Policies(), "inputs": {"a": "1"}}
    keys = {
        cache_key(**(base | change))
        for change in (
            {},
            {"spec": spec(digest="e")},
            {"spec": spec(result="float")},
            {"policies": Policies(cache=CachePolicy(version="2"))},
            {"policies": Policies(packages=("pytest",))},
            {"inputs": {"a": "2"}},
            {"inputs": {"b": "1"}},
        )
    }
    assert len(keys) == 7
    assert cache_key(**base) == cache_key(**(base | {"policies": Policies(retry=RetryPolicy(3))}))


OSERROR = FailureInfo("builtins:FileNotFoundError", bases=("builtins:FileNotFoundError", "builtins:OSError"))


@pytest.mark.parametrize(
    ("on", "failure", "expected"),
    [
        ((), OSERROR, True),
        (("builtins:OSError",), OSERROR, True),
        (("builtins:ValueError",), OSERROR, False),
        (("infra",), OSERROR, False),
        (("infra",), FailureInfo("infra"), True),
        (("timeout",), FailureInfo("timeout"), True),
        (("builtins:OSError",), FailureInfo("timeout", bases=("builtins:OSError",)), False),
        ((), FailureInfo("cancelled"), False),
    ],
)
def test_retries_are_made_for_the_named_failures(on, failure, expected):
    assert is_retried(RetryPolicy(2, on=on), failure, 1) is expected
    assert not is_retried(RetryPolicy(2, on=on), failure, 2)


def test_pauses_grow_to_their_limit():
    policy = RetryPolicy(99, delay_seconds=0.5, factor=3, max_delay_seconds=4)
    assert [delay_seconds(policy, n) for n in (1, 2, 3, 5000)] == [0.5, 1.5, 4, 4]
