"""How an Airflow is reached: its REST API, by its official client; v2 of Airflow 3, v1 of Airflow 2.

Answers are JSON trees: the client's classes know one version of Airflow, and a tree is what every version sends. What
goes wrong is an `ApiProblem`; `runtimes.airflow` says what it means.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from drawloom.errors import Diagnostic, EngineError
from drawloom.runtimes.api_problems import ApiProblem, plainly
from drawloom.runtimes.engines import Connection

__all__ = ["AirflowAccess", "airflow_access"]

# Any: Airflow's objects as JSON trees

_BUSY: Final = (429, 500, 502, 503, 504)
_TRIES: Final = 4  # within about 4 seconds
_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0)
_TIMEOUT: Final = (10.0, 60.0)  # seconds to connect, and to wait for an answer
_PAGE: Final = 100


def airflow_access(connection: Connection) -> AirflowAccess:
    """The access that a target asks for.

    Raises:
        EngineError: E745, its client isn't installed, or the target names no server.
    """
    if connection.server is None:
        what = f"target `{connection.target}` doesn't say where its Airflow is"
        raise EngineError(Diagnostic("E745", what, None, 'add `server = "https://airflow.example"`'))
    return AirflowAccess(connection)


class AirflowAccess:
    """The REST API of an Airflow.

    Args:
        connection: how it is reached.
    """

    def __init__(self, connection: Connection) -> None:
        try:
            from airflow_client.client import ApiClient, Configuration
            from urllib3.util import Retry
        except ImportError as error:
            what = f"the package apache-airflow-client isn't installed: {error}"
            raise EngineError(Diagnostic("E745", what, None, "pip install 'drawloom[airflow]'")) from error
        self.place = str(connection.server)
        configuration = Configuration(host=self.place)
        configuration.verify_ssl = not connection.insecure_skip_verify
        configuration.ssl_ca_cert = connection.ca_file
        # a busy database answers 500; what may be done twice is asked for again, and `make` knows what else may be
        configuration.retries = Retry(
            connect=0,
            read=0,
            redirect=False,
            other=0,
            status=_TRIES,
            status_forcelist=_BUSY,
            allowed_methods=("DELETE", "GET", "PATCH", "PUT"),
            backoff_factor=0.25,
            raise_on_status=False,
        )
        self._client: Any = ApiClient(configuration)
        self._connection = connection
        self._authorization = f"Bearer {connection.token}" if connection.token else ""
        self.version: tuple[int, ...] = ()

    def connect(self) -> None:
        """Asks for Airflow's version, and for a token where there is a password.

        Raises:
            ApiProblem: it can't be reached, is no Airflow, or doesn't take the name and the password.
        """
        if self.version:
            return
        found = None
        for api in ("/api/v2", "/api/v1"):
            self._log_in(api)
            try:
                found = self._ask("GET", f"{api}/version")
            except ApiProblem as problem:
                if problem.status != 404:
                    raise
            if isinstance(found, dict) and "version" in found:
                self._api = api
                self.version = _numbers(str(found["version"]))
                return
        raise ApiProblem(404, "it has neither /api/v2/version nor /api/v1/version")

    def check_login(self) -> None:
        """Asks for something that everybody may read who has logged in.

        Raises:
            ApiProblem: 401, the name and the password, or the token, aren't taken.
        """
        try:
            self.get("dags", limit=1)
        except ApiProblem as problem:
            if problem.status == 403 and self.version[0] == 2:  # a wrong password is as good as none there
                raise ApiProblem(401, problem.message) from problem
            raise

    def get(self, *path: object, **query: object) -> Any:
        """What lies at a path, None if nothing does."""
        try:
            return self.ask("GET", *path, query=query)
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise

    def ask(
        self,
        method: str,
        *path: object,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Any:
        """The answer to a request.

        Args:
            method: of HTTP.
            path: the parts of the path below `/api/v2`.
            body: sent as JSON.
            query: what stands behind the `?`.
        """
        self.connect()
        whole = "/".join([self._api, *(quote(str(part), safe="") for part in path)])
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._ask(method, f"{whole}?{urlencode(given, doseq=True)}" if given else whole, body)

    def make(self, *path: object, body: Mapping[str, Any], is_there: Callable[[], bool]) -> None:
        """Makes something, and asks again while Airflow is too busy, unless it was made all the same.

        Args:
            path: the parts of the path below `/api/v2`.
            body: sent as JSON; says what it is called.
            is_there: whether there is one that is called so.

        Raises:
            ApiProblem: Airflow refuses it, or is still too busy.
        """
        for pause_seconds in _PAUSES_SECONDS:
            try:
                self.ask("POST", *path, body=body)
            except ApiProblem as problem:
                if problem.status not in _BUSY:
                    raise
            else:
                return
            time.sleep(pause_seconds)
            if is_there():
                return
        self.ask("POST", *path, body=body)

    def pages(self, key: str, *path: object, **query: object) -> Iterator[dict[str, Any]]:
        """All items of a list that Airflow gives in pages, under `key`."""
        offset = 0
        while True:
            found = self.ask("GET", *path, query={"limit": _PAGE, "offset": offset, **query})[key]
            yield from found
            offset += len(found)
            if len(found) < _PAGE:
                return

    def _log_in(self, api: str) -> None:
        name, password = self._connection.username, self._connection.password
        if not name:
            return
        if api == "/api/v1":  # basic authentication, of Airflow 2
            self._authorization = f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"
            return
        try:
            found = self._ask("POST", "/auth/token", {"username": name, "password": password})
        except ApiProblem as problem:
            if problem.status in (404, 405):  # Airflow 2 has none
                return
            raise
        self._authorization = f"Bearer {found['access_token']}"

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json"}
        if body is not None:  # Airflow 2 would read a body that isn't there
            headers["Content-Type"] = "application/json"
        if self._authorization:
            headers["Authorization"] = self._authorization
        try:
            answer = self._client.call_api(
                method,
                f"{self.place}{path}",
                headers,
                dict(body) if body is not None else None,
                _request_timeout=_TIMEOUT,
            )
            data = answer.read() or b""
        except HTTPError as error:
            raise ApiProblem(0, plainly(error)) from error
        except Exception as error:
            status = getattr(error, "status", None)
            if status is None and type(error).__module__.partition(".")[0] != "airflow_client":
                raise
            raise ApiProblem(int(status or 0), str(getattr(error, "reason", error))) from error
        if answer.status >= 400:
            message = _message(data, answer.reason)
            is_login = answer.status == 403 and "token" in message.lower()  # one that isn't taken
            raise ApiProblem(401 if is_login else answer.status, message)
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError:
            raise ApiProblem(404, f"{path} answers with no JSON") from None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())


def _message(data: bytes, reason: object) -> str:
    try:
        found = json.loads(data)
        told = found.get("detail") or found.get("title") or found if isinstance(found, dict) else found
    except ValueError:
        told = data.decode("utf-8", "replace")
    text = told if isinstance(told, str) else json.dumps(told)
    return " ".join(text.split())[:500] or str(reason)
