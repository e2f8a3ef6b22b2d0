"""Where a step's S3 credentials come from: the places every AWS client looks in, with the standard library alone.

In this order: the environment (`AWS_ACCESS_KEY_ID`), a web identity token (EKS service accounts), the shared
credentials file, the container endpoint (ECS, EKS pod identity). A secret is in no error and in no `repr`.
"""

from __future__ import annotations

import calendar
import json
import os
import re
import time
from collections.abc import Mapping

from drawloom.errors import StoreError
from drawloom.storage.problems import store_error

__all__ = ["Credentials", "find_credentials", "find_region"]

_TIMEOUT_SECONDS = 5.0
_MARGIN_SECONDS = 300.0  # credentials are renewed this long before they end
# Where AWS allows credentials to be fetched without TLS (SDK reference, "Container credential provider").
_CONTAINER_HOSTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost", "127.0.0.1", "::1"})


class Credentials:
    """An access key with its secret, the session token ("" if none) and when they end (seconds since the epoch)."""

    __slots__ = ("access_key", "ends_at", "secret_key", "token")

    def __init__(self, access_key: str, secret_key: str, token: str = "", ends_at: float = float("inf")) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token
        self.ends_at = ends_at

    @property
    def are_stale(self) -> bool:
        """Whether they end so soon that new ones should be fetched."""
        return time.time() > self.ends_at - _MARGIN_SECONDS


def find_credentials(environment: Mapping[str, str], region: str) -> Credentials:
    """The first credentials found.

    Args:
        environment: the environment variables.
        region: the region whose token service is asked.

    Raises:
        StoreError: S418, there are none, or a place that should have some can't give them.
    """
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        return Credentials(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment.get("AWS_SESSION_TOKEN", ""),
        )
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environment.get("AWS_ROLE_ARN"):
        return _from_web_identity(environment, region)
    found = _from_file(environment)
    if found is not None:
        return found
    if environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environment.get(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    ):
        return _from_container(environment)
    raise _refused("there are no credentials for S3", "")


def find_region(environment: Mapping[str, str]) -> str:
    """The region to sign for: from the environment, the profile in the configuration file, else `us-east-1`."""
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if named:
        return named
    path = environment.get("AWS_CONFIG_FILE") or os.path.expanduser("~/.aws/config")
    profile = environment.get("AWS_PROFILE") or "default"
    section = profile if profile == "default" else f"profile {profile}"
    return _profile(path, section).get("region") or "us-east-1"


def _from_file(environment: Mapping[str, str]) -> Credentials | None:
    path = environment.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.expanduser("~/.aws/credentials")
    profile = environment.get("AWS_PROFILE") or "default"
    values = _profile(path, profile)
    if "aws_access_key_id" in values and "aws_secret_access_key" in values:
        return Credentials(
            values["aws_access_key_id"], values["aws_secret_access_key"], values.get("aws_session_token", "")
        )
    return None


def _profile(path: str, section: str) -> Mapping[str, str]:
    if not os.path.exists(path):
        return {}
    import configparser  # only where there is such a file; a pod has none

    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        # The parser's own message quotes the line, which may be a secret.
        raise _refused("the file can't be read as an AWS configuration", path) from None
    return dict(parser.items(section)) if parser.has_section(section) else {}


def _from_web_identity(environment: Mapping[str, str], region: str) -> Credentials:
    path = environment["AWS_WEB_IDENTITY_TOKEN_FILE"]
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    except OSError as error:
        raise _refused(f"the web identity token can't be read: {error.strerror}", path) from None
    url = environment.get("AWS_ENDPOINT_URL_STS") or environment.get("AWS_ENDPOINT_URL") or _sts(region)
    from urllib.parse import urlencode

    fields = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": environment["AWS_ROLE_ARN"],
        "RoleSessionName": environment.get("AWS_ROLE_SESSION_NAME") or "drawloom",
        "WebIdentityToken": token,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    text = _fetch("POST", url, urlencode(fields).encode(), headers).decode("utf-8", "replace")
    found = {
        name: match.group(1)
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        if (match := re.search(f"<{name}>([^<]*)</{name}>", text))
    }
    return _from_fields(found, "SessionToken", url)


def _sts(region: str) -> str:
    return f"https://sts.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _from_container(environment: Mapping[str, str]) -> Credentials:
    relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = f"http://169.254.170.2{relative}" if relative else environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    token = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    path = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if path:
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read().strip()
        except OSError as error:
            raise _refused(f"the container's token can't be read: {error.strerror}", path) from None
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _CONTAINER_HOSTS:
        raise _refused("the container endpoint is neither https nor a host AWS names", url)
    try:
        found = json.loads(_fetch("GET", url, None, {"authorization": token} if token else {}))
    except ValueError:
        raise _refused("the container endpoint didn't answer with credentials", url) from None
    return _from_fields(found if isinstance(found, dict) else {}, "Token", url)


def _from_fields(found: Mapping[str, str], token_name: str, url: str) -> Credentials:
    if not found.get("AccessKeyId") or not found.get("SecretAccessKey"):
        raise _refused("the answer holds no credentials", url)
    ends_at = _seconds(found.get("Expiration", ""))
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get(token_name, ""), ends_at)


def _seconds(text: str) -> float:
    try:
        return float(calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return float("inf")


def _fetch(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        data = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _refused(f"the endpoint can't be reached: {error}", url) from error
    finally:
        connection.close()
    if response.status != 200:
        code = re.search(rb"<Code>(\w+)</Code>", data)
        told = code.group(1).decode("ascii", "replace") if code else response.reason
        raise _refused(f"the endpoint answered {response.status} {told}", url)
    return data


def _refused(what: str, where: str) -> StoreError:
    return store_error(
        "S418",
        what,
        where,
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; or "
        "AWS_PROFILE with ~/.aws/credentials; or run in a container with AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
