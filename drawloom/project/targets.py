"""Targets: the places of `[targets.<name>]` that pipelines are deployed to, made ready for use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from drawloom.errors import Diagnostic, ProjectError, Span, did_you_mean
from drawloom.frozen import dataclass
from drawloom.project.file import absolute
from drawloom.project.model import DeployTarget
from drawloom.project.settings import Settings

__all__ = ["Target", "find_target"]

_TOKENS: Final = ("token", "bearer_token", "password", "api_key")
_SERVER_ONLY: Final = ("token_env", "username", "password_env", "ca_file", "insecure_skip_verify")


@dataclass(frozen=True, slots=True)
class Target:
    """A place that pipelines are deployed to.

    Args:
        name: its name in the project file.
        engine: the kind of engine that is there.
        store: the URL of the store that the engine's steps reach.
        catalog: the same store as it is reached from here.
        project: the project in it.
        connection: how the engine is reached; its paths are absolute.
        options: what the engine's compiler is given, `store` and `project` among them.
        where: the place in the project file.
    """

    name: str
    engine: str
    store: str
    catalog: str
    project: str
    connection: DeployTarget
    options: Mapping[str, Any]  # whatever TOML can say
    where: Span

    def token(self) -> str:
        """The token for the engine's server, "" for none.

        Raises:
            ProjectError: P672, the variable that should hold it isn't set.
        """
        hint = " (`argo auth token` tells it)" if self.engine == "argo" else ""
        return self._secret(self.connection.token_env, "token", hint).removeprefix("Bearer ").strip()

    def password(self) -> str:
        """The password for the engine's server, "" for none.

        Raises:
            ProjectError: P672, the variable that should hold it isn't set.
        """
        return self._secret(self.connection.password_env, "password")

    def _secret(self, variable: str | None, what: str, hint: str = "") -> str:
        if variable is None:
            return ""
        found = os.environ.get(variable, "").strip()
        if not found:
            told = f"the variable {variable}, which holds the {what} for target `{self.name}`, isn't set"
            raise ProjectError(Diagnostic("P672", told, self.where, f"export {variable}=...{hint}"))
        return found


def find_target(name: str, settings: Settings) -> Target:
    """The target of a name.

    Args:
        name: its name in the project file.
        settings: those of the project.

    Raises:
        ProjectError: P670, there is none of that name; P671, its keys contradict each other, or hold a secret.
    """
    known = dict(settings.file.model.targets) if settings.file is not None else {}
    if name not in known or settings.file is None:
        raise ProjectError(_unknown(name, list(known), settings))
    found, where = known[name], settings.file.span("targets", name)
    problems = [*_contradictions(found), *_secrets(found)]
    if problems:
        raise ProjectError(Diagnostic("P671", f"target `{name}` {problem}", where, fix) for problem, fix in problems)
    options = {key: _as_given(value) for key, value in found.options.items()}
    project = str(options.setdefault("project", settings.project))
    if "store" not in options and "://" in settings.catalog:
        options["store"] = settings.catalog
    store = options.get("store")
    if not isinstance(store, str) or not store:
        fix = 'name the store that the engine\'s steps reach: `store = "s3://bucket/prefix"`'
        raise ProjectError(Diagnostic("P671", f"target `{name}` has no `store`", where, fix))
    return Target(
        name=name,
        engine=found.engine,
        store=store,
        catalog=_url(found.catalog, settings.root) or store,
        project=project,
        connection=_connection(found, settings.root),
        options=options,
        where=where,
    )


def _unknown(name: str, known: list[str], settings: Settings) -> Diagnostic:
    what = f"there is no target {name!r}{did_you_mean(name, known)}" if name else "no target is named"
    file = settings.file.path if settings.file is not None else "drawloom.toml"
    if known:
        fix = f"name one of {os.path.basename(file)}: {', '.join(sorted(known))}"
    else:
        add = f'add [targets.{name or "prod"}] with `engine = "argo"` and `store = "s3://..."`'
        fix = f"{add} to {os.path.basename(file)}"
    return Diagnostic("P670", what, Span(file, 0) if settings.file is not None else None, fix)


def _contradictions(found: DeployTarget) -> list[tuple[str, str]]:
    problems = []
    if found.server is not None:
        if not found.server.startswith(("https://", "http://")):
            problems.append((f"has `server = {found.server!r}`, which is no URL", "write `https://argo.example:2746`"))
        both = [key for key in ("kubeconfig", "context") if getattr(found, key) is not None]
        if both:
            text = f"has `server` and `{both[0]}`: it is reached by the one or by the other"
            problems.append((text, "leave out one of the two"))
        if (found.username is None) != (found.password_env is None):
            text = "has `username` without `password_env`, or the other way round"
            problems.append((text, "give both, or a `token_env`"))
        if found.ca_file is not None and found.insecure_skip_verify:
            problems.append(("has `ca_file` and `insecure_skip_verify`", "leave out one of the two"))
    else:
        alone = [key for key in _SERVER_ONLY if getattr(found, key)]
        if alone:
            fix = 'add `server = "https://..."`, or leave it out: a kubeconfig says the same of Kubernetes'
            problems.append((f"has `{alone[0]}`, which is for a `server`, and no `server`", fix))
    if found.dags_git and (found.dags is None or "://" in found.dags):
        problems.append(("has `dags_git`, and no folder as `dags`", 'name the checkout: `dags = "../dags"`'))
    return problems


def _secrets(found: DeployTarget) -> list[tuple[str, str]]:
    """A token in a file that is shared is nobody's secret any more; it is never printed."""
    return [
        (
            f"has `{key}` in the file: a secret doesn't belong there",
            'name a variable that holds it: `token_env = "ARGO_TOKEN"`',
        )
        for key in _TOKENS
        if key in found.options
    ]


def _connection(found: DeployTarget, root: str) -> DeployTarget:
    return DeployTarget(
        engine=found.engine,
        kubeconfig=_path(found.kubeconfig, root),
        context=found.context,
        server=found.server.rstrip("/") if found.server is not None else None,
        token_env=found.token_env,
        ca_file=_path(found.ca_file, root),
        insecure_skip_verify=found.insecure_skip_verify,
        username=found.username,
        password_env=found.password_env,
        dags=_url(found.dags, root),
        dags_git=found.dags_git,
    )


def _path(path: str | None, root: str) -> str | None:
    return None if path is None else absolute(root, os.path.expanduser(path))


def _url(url: str | None, root: str) -> str | None:
    return url if url is None or "://" in url else _path(url, root)


def _as_given(value: Any) -> Any:
    """A list of TOML as a tuple, as compilers have them."""
    return tuple(value) if isinstance(value, list) else value
