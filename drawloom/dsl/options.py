"""How a task is to be run, as a user writes it: `Retry`, `Cache` and the options of `@task`.

These are plain values until a policy is asked for: a user's module constructs them in every step, where the IR's
policies are not wanted and would cost more to import than all the rest of `drawloom.task`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drawloom.dsl.place import refusal

if TYPE_CHECKING:
    from typing import TypedDict

    from drawloom.dsl.pods import Pod, Resources
    from drawloom.ir.policies import CachePolicy, Policies, RetryPolicy

__all__ = ["Cache", "Options", "Retry", "checked_options", "policies"]


class Retry:
    """When and how often a failed attempt is made again.

    Args:
        max_attempts: the number of tries in all, the first included; at least 1.
        delay_seconds: the pause before the second attempt.
        factor: what each further pause is multiplied by; at least 1.
        max_delay_seconds: the longest pause.
        on: the exception classes to try again after (subclasses count), `"infra"` (the step was lost: killed, evicted,
            out of memory), `"timeout"` (an attempt took too long); empty for all of them.

    Raises:
        DefinitionError: a number is out of its range, or `on` holds something else (D108).
    """

    __slots__ = ("delay_seconds", "factor", "max_attempts", "max_delay_seconds", "on")

    def __init__(
        self,
        max_attempts: int = 3,
        delay_seconds: float = 0.0,
        factor: float = 1.0,
        max_delay_seconds: float = 3600.0,
        on: type[BaseException] | str | Sequence[type[BaseException] | str] = (),
    ) -> None:
        self.max_attempts = max_attempts
        self.delay_seconds = delay_seconds
        self.factor = factor
        self.max_delay_seconds = max_delay_seconds
        self.on = (on,) if isinstance(on, (str, type)) else tuple(on)
        if type(max_attempts) is not int or max_attempts < 1:
            raise _bad("Retry", "max_attempts", max_attempts, "a whole number of at least 1")
        for name in ("delay_seconds", "max_delay_seconds"):
            if not _is_number(getattr(self, name)) or getattr(self, name) < 0:
                raise _bad("Retry", name, getattr(self, name), "a number of seconds of at least 0")
        if not _is_number(factor) or factor < 1:
            raise _bad("Retry", "factor", factor, "a number of at least 1")
        for one in self.on:
            known = issubclass(one, BaseException) if isinstance(one, type) else one in ("infra", "timeout")
            if not known:
                raise _bad("Retry", "on", one, 'exception classes, "infra" or "timeout"')

    def policy(self) -> RetryPolicy:
        """The same in the IR."""
        from drawloom.ir.policies import RetryPolicy  # lazy: see the module docstring

        names = tuple(f"{one.__module__}:{one.__qualname__}" if isinstance(one, type) else one for one in self.on)
        return RetryPolicy(
            self.max_attempts, float(self.delay_seconds), float(self.factor), float(self.max_delay_seconds), names
        )


class Cache:
    """Whether a call may be answered from an earlier run.

    Args:
        enabled: True or False; None for the rule: every task but effects and those without upstream data.
        version: a text that is part of the cache key; change it to forget what was cached.
        ttl_seconds: how old what answers a call may be, counted from when it was made; None for any age.

    Raises:
        DefinitionError: `enabled` is no bool, `version` no text, or `ttl_seconds` no number above 0 (D108).
    """

    __slots__ = ("enabled", "ttl_seconds", "version")

    def __init__(self, enabled: bool | None = None, version: str = "", ttl_seconds: float | None = None) -> None:
        self.enabled = enabled
        self.version = version
        self.ttl_seconds = ttl_seconds
        if enabled is not None and type(enabled) is not bool:
            raise _bad("Cache", "enabled", enabled, "True, False or None")
        if type(version) is not str:
            raise _bad("Cache", "version", version, "a text")
        if ttl_seconds is not None and (not _is_number(ttl_seconds) or not ttl_seconds > 0):
            raise _bad("Cache", "ttl_seconds", ttl_seconds, "a number of seconds above 0")

    def policy(self) -> CachePolicy:
        """The same in the IR."""
        from drawloom.ir.policies import CachePolicy  # lazy: see the module docstring

        return CachePolicy(self.enabled, self.version, None if self.ttl_seconds is None else float(self.ttl_seconds))


if TYPE_CHECKING:

    class Options(TypedDict, total=False):
        """The options of `@task` and `.with_options(...)`, those that were given."""

        retry: Retry | None
        attempt_timeout_seconds: float | None
        node_timeout_seconds: float | None
        cache: Cache | bool | None
        packages: Sequence[str] | None
        resources: Resources | None
        image: str | None
        env: Mapping[str, str] | None
        pod: Pod | None
        independent: bool | None

else:
    Options = dict  # a TypedDict compiles each of its annotations, 2 ms that every step would pay


def checked_options(owner: str, given: Options) -> Options:
    """The options that are not None, each of the right type.

    Raises:
        DefinitionError: an option has a value out of its range (D108; D161 for `image` and `env`).
    """
    kept = Options()
    for name, value in given.items():
        if value is not None:
            if name in ("image", "env"):
                _check_environment(owner, name, value)
                kept[name] = dict(value) if isinstance(value, Mapping) else value  # type: ignore[literal-required]
                continue
            expected = _CHECKS[name](value)
            if expected:
                raise _bad(owner, name, value, expected)
            kept[name] = value  # type: ignore[literal-required]  # the names are those of `given`
    return kept


def _seconds(value: Any) -> str:
    return "" if _is_number(value) and value > 0 else "a number of seconds above 0"


def _packages(value: Any) -> str:
    is_list = not isinstance(value, str) and isinstance(value, Sequence)
    return "" if is_list and all(type(v) is str for v in value) else 'a list of requirements (["pandas>=2"])'


def _check_environment(owner: str, name: str, value: Any) -> None:
    from drawloom.ir.pods import Misfit, env_pairs, image_text  # lazy: most tasks have neither

    try:
        (image_text if name == "image" else env_pairs)(value)
    except Misfit as misfit:
        raise refusal("D161", f"{owner}(...): {misfit}", f"give `{misfit.name}` {misfit.expected}") from None


def _made_by(value: Any, name: str) -> str:
    """Told by its class's name: `dsl.pods` is loaded by whoever uses it, and by nobody else."""
    kind = type(value)
    return "" if (kind.__module__, kind.__name__) == ("drawloom.dsl.pods", name) else f"a {name}(...)"


_CHECKS: dict[str, Callable[[Any], str]] = {
    "retry": lambda value: "" if type(value) is Retry else "a Retry(...)",
    "attempt_timeout_seconds": _seconds,
    "node_timeout_seconds": _seconds,
    "cache": lambda value: "" if type(value) in (Cache, bool) else "True, False or a Cache(...)",
    "packages": _packages,
    "resources": lambda value: _made_by(value, "Resources"),
    "pod": lambda value: _made_by(value, "Pod"),
    "independent": lambda value: "" if type(value) is bool else "True or False",
}


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _bad(owner: str, name: str, value: object, expected: str) -> Exception:
    return refusal("D108", f"{owner}({name}={value!r}) must be {expected}", f"pass {expected} as `{name}`")


def policies(options: Options) -> Policies:
    """The policies that options stand for."""
    from drawloom.ir.policies import CachePolicy, PodPolicy, Policies, ResourcesPolicy, RetryPolicy  # lazy, as above

    retry, cache = options.get("retry"), options.get("cache")
    resources, pod = options.get("resources"), options.get("pod")
    if isinstance(cache, bool):
        cache = Cache(cache)
    return Policies(
        retry=retry.policy() if retry is not None else RetryPolicy(),
        attempt_timeout_seconds=options.get("attempt_timeout_seconds"),
        node_timeout_seconds=options.get("node_timeout_seconds"),
        cache=cache.policy() if cache is not None else CachePolicy(),
        packages=tuple(options.get("packages") or ()),
        resources=resources.policy if resources is not None else ResourcesPolicy(),
        image=options.get("image") or "",
        env=tuple(sorted((options.get("env") or {}).items())),
        pod=pod.policy if pod is not None else PodPolicy(),
    )
