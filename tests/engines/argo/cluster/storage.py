"""S3 by moto, with one bucket, on the node's address: host and pods reach it under the same name."""

from __future__ import annotations

import http.client

from cluster import processes
from cluster.network import NODE_ADDRESS, ports
from cluster.system import tools_python

NAME = "moto"
BUCKET = "drawloom"
REGION = "us-east-1"
ACCESS_KEY = "drawloom-test"
SECRET_KEY = "drawloom-test-secret"  # moto takes any; a client needs one


def endpoint() -> str:
    """HOST:PORT of the server, which speaks plain HTTP."""
    return f"{NODE_ADDRESS}:{ports()['s3']}"


def start() -> None:
    """Start the server and make the bucket."""
    arguments = ["-m", "moto.server", "-H", NODE_ADDRESS, "-p", str(ports()["s3"])]
    environment = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    processes.ensure_started(NAME, [tools_python(), *arguments], environment)
    processes.wait_until("S3 answers", _make_bucket, server=NAME)


def _make_bucket() -> bool:
    """Make the bucket, or find it made; False while the server doesn't listen."""
    signature = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/s3/aws4_request"
    connection = http.client.HTTPConnection(endpoint(), timeout=10)
    try:
        connection.request("PUT", f"/{BUCKET}", headers={"Authorization": signature})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
