"""How an Argo is reached: by the Kubernetes API alone, or by Argo's own server; both through their official clients.

Objects are JSON trees: the clients' classes know one version of Argo each, and a tree is what every version sends. What
goes wrong is an `ApiProblem`; `runtimes.argo` says what it means.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from drawloom.errors import Diagnostic, EngineError
from drawloom.runtimes.api_problems import ApiProblem, plainly
from drawloom.runtimes.engines import Connection

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["Access", "ApiProblem", "KubernetesAccess", "ServerAccess", "access_to"]

# Any: objects of Kubernetes as JSON trees

GROUP: Final = "argoproj.io"
_VERSION: Final = "v1alpha1"
_PLURALS: Final = {
    "Workflow": "workflows",
    "WorkflowTemplate": "workflowtemplates",
    "CronWorkflow": "cronworkflows",
}
_TIMEOUT: Final = (10.0, 60.0)  # seconds to connect, and to wait for an answer
_LOG_TIMEOUT: Final = (10.0, 86_400.0)  # a task may print nothing for hours; then it is read again
_SERVER_LOG_TIMEOUT: Final = (10.0, 15.0)  # its log goes on until the Workflow ends, not the pod
_SERVICE_NAMESPACE: Final = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


class Access(Protocol):
    """What is asked of an Argo. Every method may raise `ApiProblem`."""

    place: str
    namespace: str

    def look(self, namespace: str) -> None:
        """Whether Workflows of a namespace may be listed."""
        ...

    def create(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Makes an object."""
        ...

    def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object, None if it isn't there."""
        ...

    def replace(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Puts an object in the place of the one of its name."""
        ...

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Removes an object."""
        ...

    def order(self, namespace: str, name: str, verb: str) -> None:
        """Tells a Workflow to `stop`, `terminate`, `suspend` or `resume`."""
        ...

    def log(self, namespace: str, workflow: str, pod: str, *, follow: bool) -> Iterator[bytes]:
        """What a pod's main container prints, in pieces; where nothing is printed for long, it may time out."""
        ...


_ORDERS: Final[Mapping[str, dict[str, Any]]] = {
    "stop": {"shutdown": "Stop"},
    "terminate": {"shutdown": "Terminate"},
    "suspend": {"suspend": True},
    "resume": {"suspend": None},
}


def access_to(connection: Connection) -> Access:
    """The access that a target asks for.

    Raises:
        EngineError: E745, its client isn't installed, or what says how it is reached can't be read.
    """
    namespace = str(connection.options.get("namespace") or "")
    if connection.server is not None:
        return ServerAccess(connection, namespace or "default")
    return KubernetesAccess(*_kubernetes_client(connection), namespace)


class KubernetesAccess:
    """By the Kubernetes API alone: a Workflow is an object like any other.

    Args:
        client: the client.
        context_namespace: the namespace that the kubeconfig names.
        namespace: the namespace that the target names, "" for none.
    """

    def __init__(self, client: ApiClient, context_namespace: str = "", namespace: str = "") -> None:
        from kubernetes.client import CustomObjectsApi

        self.client = client
        self.place = str(client.configuration.host)
        self.namespace = namespace or context_namespace or "default"
        self._objects: Any = CustomObjectsApi(client)

    def look(self, namespace: str) -> None:
        with _answered():
            self._objects.list_namespaced_custom_object(namespace=namespace, limit=1, **_kind("Workflow"), **_limits())
        with _answered(), _unless_denied():  # a namespace that isn't there has no Workflows either: nothing is refused
            self.core().read_namespace(namespace, **_limits())

    def create(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with _answered():
            made: dict[str, Any] = self._objects.create_namespaced_custom_object(
                namespace=namespace, body=body, **_kind(kind), **_limits()
            )
        return made

    def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            with _answered():
                found: dict[str, Any] = self._objects.get_namespaced_custom_object(
                    namespace=namespace, name=name, **_kind(kind), **_limits()
                )
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
        return found

    def replace(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with _answered():
            made: dict[str, Any] = self._objects.replace_namespaced_custom_object(
                namespace=namespace, name=body["metadata"]["name"], body=body, **_kind(kind), **_limits()
            )
        return made

    def delete(self, kind: str, namespace: str, name: str) -> None:
        with _answered():
            self._objects.delete_namespaced_custom_object(namespace=namespace, name=name, **_kind(kind), **_limits())

    def order(self, namespace: str, name: str, verb: str) -> None:
        with _answered():
            self._objects.patch_namespaced_custom_object(
                namespace=namespace, name=name, body={"spec": _ORDERS[verb]}, **_kind("Workflow"), **_limits()
            )

    def log(self, namespace: str, workflow: str, pod: str, *, follow: bool) -> Iterator[bytes]:  # noqa: ARG002
        with _answered():
            answer = self.core().read_namespaced_pod_log(
                pod,
                namespace,
                container="main",
                follow=follow,
                _preload_content=False,
                _request_timeout=_LOG_TIMEOUT if follow else _TIMEOUT,
            )
            try:
                yield from answer.stream(4096)
            finally:
                answer.release_conn()

    def core(self) -> Any:
        """The client of Kubernetes' own objects."""
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self.client)

    def review(self, namespace: str, verb: str, resource: str, group: str = GROUP) -> bool:
        """Whether this user may do something, by Kubernetes' own word."""
        from kubernetes.client import AuthorizationV1Api

        asked = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
        body: Any = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        with _answered():
            found: Any = AuthorizationV1Api(self.client).create_self_subject_access_review(body, **_limits())
        return bool(found.status.allowed)

    def version(self) -> str:
        """The version of Kubernetes."""
        from kubernetes.client import VersionApi

        with _answered():
            return str(VersionApi(self.client).get_code(**_limits()).git_version)

    def definitions(self) -> list[str]:
        """The kinds of Argo's that Kubernetes knows, by their plural names."""
        with _answered():
            found = self._objects.get_api_resources(GROUP, _VERSION, **_limits())
        return [resource.name for resource in found.resources]


class ServerAccess:
    """By Argo's own server, with a token.

    Args:
        connection: how it is reached.
        namespace: where things are.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        try:
            from argo_workflows.api_client import ApiClient as ServerClient
            from argo_workflows.configuration import Configuration
        except ImportError as error:
            raise _not_installed("argo-workflows", "argo", error) from error
        if connection.ca_file is not None and not os.path.isfile(connection.ca_file):
            what = f"target `{connection.target}` has the ca_file {connection.ca_file}, which isn't there"
            raise EngineError(Diagnostic("E745", what, None, "name the file with the server's certificate authority"))
        configuration: Any = Configuration(host=connection.server, ssl_ca_cert=connection.ca_file)
        configuration.verify_ssl = not connection.insecure_skip_verify
        if connection.insecure_skip_verify:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the project file asks for it
        configuration.retries = False
        self.place = str(connection.server)
        self.namespace = namespace
        self._token = connection.token
        self._client: Any = ServerClient(configuration)

    def look(self, namespace: str) -> None:
        self.ask(
            "GET", f"/api/v1/workflows/{namespace}", [("listOptions.limit", "1"), ("fields", "items.metadata.name")]
        )

    def create(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self.ask(
            "POST", _path(kind, namespace), body={_WORDS[kind]: body, "namespace": namespace}
        )
        return made

    def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            found = self.ask("GET", f"{_path(kind, namespace)}/{name}")
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
        return {"apiVersion": f"{GROUP}/{_VERSION}", "kind": kind, **found}  # the server leaves out what was asked for

    def replace(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        asked = {_WORDS[kind]: body, "namespace": namespace, "name": name}
        made: dict[str, Any] = self.ask("PUT", f"{_path(kind, namespace)}/{name}", body=asked)
        return made

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.ask("DELETE", f"{_path(kind, namespace)}/{name}")

    def order(self, namespace: str, name: str, verb: str) -> None:
        self.ask("PUT", f"/api/v1/workflows/{namespace}/{name}/{verb}", body={"name": name, "namespace": namespace})

    def log(self, namespace: str, workflow: str, pod: str, *, follow: bool) -> Iterator[bytes]:
        query = [("podName", pod), ("logOptions.container", "main")]
        query += [("logOptions.follow", "true")] if follow else []
        timeout = _SERVER_LOG_TIMEOUT if follow else _TIMEOUT
        answer = self._open("GET", f"/api/v1/workflows/{namespace}/{workflow}/log", query, None, timeout)
        with _answered():
            try:
                yield from _log_lines(answer.stream(4096))
            finally:
                answer.release_conn()

    def ask(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        """What the server answers, as a JSON tree."""
        answer = self._open(method, path, query or [], body, _TIMEOUT)
        with _answered():
            data = answer.data
        try:
            return json.loads(data)
        except ValueError:
            text = data[:200].decode("utf-8", "replace")
            raise ApiProblem(answer.status, f"it answers what is no JSON: {text!r}") from None

    def _open(
        self, method: str, path: str, query: list[tuple[str, str]], body: Mapping[str, Any] | None, timeout: Any
    ) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with _answered():
            return self._client.call_api(
                path,
                method,
                query_params=query,
                header_params=headers,
                body=body,
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=timeout,
            )


_WORDS: Final = {"Workflow": "workflow", "WorkflowTemplate": "template", "CronWorkflow": "cronWorkflow"}
_PATHS: Final = {"Workflow": "workflows", "WorkflowTemplate": "workflow-templates", "CronWorkflow": "cron-workflows"}


def _path(kind: str, namespace: str) -> str:
    return f"/api/v1/{_PATHS[kind]}/{namespace}"


def _log_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The texts in a stream of JSON documents, one a line; the server takes their line ends away."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            text = line.removeprefix(b"data:").strip()
            if text:
                found = json.loads(text)
                if "error" in found:
                    raise ApiProblem(int(found["error"].get("http_code", 500)), str(found["error"].get("message", "")))
                yield f"{found.get('result', {}).get('content', '')}\n".encode()


def _kind(kind: str) -> dict[str, Any]:
    return {"group": GROUP, "version": _VERSION, "plural": _PLURALS[kind]}


def _limits() -> dict[str, Any]:
    return {"_request_timeout": _TIMEOUT}


@contextmanager
def _answered() -> Iterator[None]:
    """Makes `ApiProblem` of what the clients raise."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiProblem:
        raise
    except HTTPError as error:
        raise ApiProblem(0, plainly(error)) from error
    except Exception as error:
        # each client has an ApiException of its own; where there was no answer Argo's trips over the missing text
        said: Any = next((e for e in (error, error.__context__) if hasattr(e, "status") and hasattr(e, "body")), None)
        if said is None:
            raise
        raise ApiProblem(int(said.status or 0), _message(said)) from error


@contextmanager
def _unless_denied() -> Iterator[None]:
    """Passes over a question that this user may not ask."""
    try:
        yield
    except ApiProblem as problem:
        if problem.status not in (401, 403):
            raise


def _message(error: Any) -> str:
    body = error.body
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    try:
        return str(json.loads(body)["message"])
    except (KeyError, TypeError, ValueError):
        return " ".join(str(body or error.reason or f"status {error.status}").split())[:500]


def _kubernetes_client(connection: Connection) -> tuple[ApiClient, str]:
    try:
        from kubernetes import client
        from kubernetes import config as untyped
        from kubernetes.config.config_exception import ConfigException
        from yaml import YAMLError
    except ImportError as error:
        raise _not_installed("kubernetes", "kubernetes", error) from error
    config: Any = untyped
    configuration = client.Configuration()
    where = connection.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    namespace = ""
    try:
        if connection.kubeconfig is None and _in_cluster():
            config.load_incluster_config(client_configuration=configuration)
            with open(_SERVICE_NAMESPACE, encoding="utf-8") as file:
                namespace = file.read().strip()
        else:
            given = {"config_file": connection.kubeconfig, "context": connection.context}
            config.load_kube_config(client_configuration=configuration, **given)
            contexts, active = config.list_kube_config_contexts(connection.kubeconfig)
            named = next((c for c in contexts if c["name"] == connection.context), active)
            namespace = str((named.get("context") or {}).get("namespace") or "")
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        context = f", context {connection.context!r}," if connection.context else ""
        what = f"the kubeconfig {where}{context} of target `{connection.target}` can't be used: {error}"
        fix = "name one that is there by `kubeconfig` and `context`, or KUBECONFIG; `kubectl config get-contexts` lists"
        raise EngineError(Diagnostic("E745", what, None, fix)) from error
    configuration.retries = False
    return client.ApiClient(configuration), namespace


def _in_cluster() -> bool:
    """Whether this process is in a pod and nothing else says which cluster is meant."""
    given = os.environ.get("KUBECONFIG") or os.path.isfile(os.path.expanduser("~/.kube/config"))
    return not given and os.path.isfile(_SERVICE_NAMESPACE)


def _not_installed(package: str, extra: str, error: ImportError) -> EngineError:
    what = f"the package {package} isn't installed: {error}"
    return EngineError(Diagnostic("E745", what, None, f"pip install 'drawloom[{extra}]'"))
