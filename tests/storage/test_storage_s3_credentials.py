"""Where a step's S3 credentials come from, and that no secret comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import StoreError
from drawloom.storage.s3 import S3Storage
from drawloom.storage.s3_credentials import find_credentials, find_region

NO_KEYS = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def test_credentials_from_the_environment() -> None:
    found = find_credentials({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}, "")
    assert (found.access_key, found.secret_key, found.token, found.are_stale) == ("a", "b", "c", False)


def test_credentials_and_region_from_files(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = b%b\n"
        "[team]\naws_access_key_id = c\naws_secret_access_key = d\naws_session_token = e\n"
    )
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n[profile team]\nregion = eu-west-2\n")
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    found = find_credentials(files, "")
    assert (found.access_key, found.secret_key, find_region(files)) == ("a", "b%b", "eu-west-1")
    team = {**files, "AWS_PROFILE": "team"}
    found = find_credentials(team, "")
    assert (found.access_key, found.token, find_region(team)) == ("c", "e", "eu-west-2")


def test_a_broken_credentials_file_is_told_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("aws_secret_access_key = geheim\n")
    with pytest.raises(StoreError) as caught:
        find_credentials({"AWS_SHARED_CREDENTIALS_FILE": str(path)}, "")
    assert "error[S418] the file can't be read as an AWS configuration" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_credentials_from_a_web_identity(faulty: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("jwt\n")
    faulty.script.append(
        faulty.answers(
            200,
            b"<R><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>"
            b"<Expiration>2020-01-01T00:00:00Z</Expiration></R>",
        )
    )
    environment = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
        "AWS_ENDPOINT_URL_STS": faulty.url,
    }
    found = find_credentials(environment, "eu-west-1")
    assert (found.access_key, found.secret_key, found.token, found.are_stale) == ("a", "b", "c", True)
    assert b"WebIdentityToken=jwt" in faulty.seen[0][3]
    assert b"Action=AssumeRoleWithWebIdentity" in faulty.seen[0][3]


def test_a_refused_web_identity_is_told(faulty: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("jwt")
    faulty.script.append(faulty.error(400, "ExpiredTokenException"))
    environment = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": "r",
        "AWS_ENDPOINT_URL_STS": faulty.url,
    }
    with pytest.raises(StoreError) as caught:
        find_credentials(environment, "")
    assert "the endpoint answered 400 ExpiredTokenException" in str(caught.value)
    assert "jwt" not in str(caught.value)


def test_credentials_from_a_container(faulty: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pod-token")
    fields = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2999-01-01T00:00:00Z"}
    faulty.script.append(faulty.answers(200, json.dumps(fields).encode()))
    environment = {
        **NO_KEYS,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{faulty.url}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    found = find_credentials(environment, "")
    assert (found.access_key, found.secret_key, found.token, found.are_stale) == ("a", "b", "c", False)
    assert faulty.seen[0][:2] == ("GET", "/v1/credentials")
    assert faulty.seen[0][2]["authorization"] == "pod-token"


def test_a_container_endpoint_elsewhere_is_refused() -> None:
    with pytest.raises(StoreError, match="neither https nor a host AWS names"):
        find_credentials({**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"}, "")


def test_ended_credentials_are_fetched_anew(faulty: Any, tmp_path: Path) -> None:
    fields = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2999-01-01T00:00:00Z"}
    given = faulty.answers(200, json.dumps(fields).encode())
    faulty.script += [given, faulty.error(400, "ExpiredToken"), given, faulty.answers(200, b"x")]
    environment = {
        **NO_KEYS,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{faulty.url}/credentials",
        "AWS_ENDPOINT_URL": faulty.url,
    }
    assert S3Storage("s3://lake", environment).read("a") == b"x"
    assert [path for _, path, _, _ in faulty.seen] == ["/credentials", "/lake/a", "/credentials", "/lake/a"]


def test_no_credentials_are_told() -> None:
    with pytest.raises(StoreError) as caught:
        S3Storage("s3://lake", NO_KEYS).read("a")
    assert str(caught.value) == (
        "error[S418] there are no credentials for S3\n"
        "  fix    set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; or "
        "AWS_PROFILE with ~/.aws/credentials; or run in a container with AWS_CONTAINER_CREDENTIALS_FULL_URI"
    )
