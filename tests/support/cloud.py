"""AWS as the tests have it: moto's server behind a front that counts, refuses and breaks off."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
ROOT = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}

Answer = tuple[int, str]  # a status and a body; status 0 breaks the connection off


def throttled() -> Answer:
    """What AWS says to somebody who asks too often."""
    return 400, json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"})


def skewed() -> Answer:
    """What AWS says to somebody whose clock is wrong."""
    said = "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"
    return 400, json.dumps({"__type": "InvalidSignatureException", "message": said})


@dataclass
class Cloud:
    """One region of AWS over HTTP. `calls` has every action, as ``secretsmanager:ListSecrets``."""

    moto: str
    front: str = ""
    calls: list[str] = field(default_factory=list)
    faults: list[Callable[[], Answer]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # of the same
    after: Callable[[str], None] | None = None  # told of each action before its answer arrives

    def client(self, service: str, region: str = REGION) -> Any:
        """A client of the account's root, past the front."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.moto,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that works here, as root."""
        return {
            **ROOT,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.front,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @contextmanager
    def as_user(self, *statements: dict[str, Any]) -> Iterator[dict[str, str]]:
        """The environment of a user who may do what `statements` say, and nothing else."""
        iam = self.client("iam")
        iam.create_user(UserName="boot")
        key = iam.create_access_key(UserName="boot")["AccessKey"]
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName="boot", PolicyName="boot", PolicyDocument=json.dumps(policy))
        keys = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        self._moto_api("reset-auth", b"0")
        try:
            yield self.environment | keys
        finally:
            self._moto_api("reset-auth", b"inf")

    def reset(self) -> None:
        self._moto_api("reset", b"")
        self.calls.clear()
        self.bodies.clear()
        self.faults.clear()
        self.after = None

    def _moto_api(self, what: str, data: bytes) -> None:
        kind = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.moto}/moto-api/{what}", data, kind)
        with urllib.request.urlopen(request):
            pass

    def secret(self, name: str, value: object, **tags: str) -> str:
        """Keeps a secret (a mapping as JSON); its ARN."""
        text = value if isinstance(value, str) else json.dumps(value)
        made = self.client("secretsmanager").create_secret(
            Name=name,
            SecretString=text,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return str(made["ARN"])

    def rotate(self, name: str, value: object) -> None:
        """Puts another value in a secret's place."""
        text = value if isinstance(value, str) else json.dumps(value)
        self.client("secretsmanager").put_secret_value(SecretId=name, SecretString=text)

    def parameter(self, name: str, value: str) -> None:
        self.client("ssm").put_parameter(
            Name=name, Value=value, Type="SecureString", Overwrite=True
        )


@contextmanager
def cloud() -> Iterator[Cloud]:
    """moto's server and the front before it, while the block runs."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    here = Cloud(f"http://{host}:{port}")
    front = ThreadingHTTPServer(("127.0.0.1", 0), _handler(here))
    front.daemon_threads = True
    here.front = f"http://127.0.0.1:{front.server_address[1]}"
    threading.Thread(target=front.serve_forever, daemon=True).start()
    try:
        yield here
    finally:
        front.shutdown()
        front.server_close()
        moto.stop()


def _handler(here: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            here.calls.append(_action(self.headers, body))
            here.bodies.append(body)
            fault = here.faults.pop(0) if here.faults else None
            status, answer, kind = self._forward(body) if fault is None else (*_told(fault()),)
            if not status:
                self.close_connection = True
                return
            if here.after is not None:
                here.after(here.calls[-1])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def _forward(self, body: bytes) -> tuple[int, bytes, str]:
            backend = http.client.HTTPConnection(here.moto.removeprefix("http://"))
            backend.request(self.command, self.path, body, dict(self.headers.items()))
            answer = backend.getresponse()
            content = answer.read()
            backend.close()
            return answer.status, content, answer.headers["Content-Type"]

        def log_message(self, *_: object) -> None: ...

    return Handler


def _told(answer: Answer) -> tuple[int, bytes, str]:
    return answer[0], answer[1].encode(), "application/x-amz-json-1.1"


_SERVICES = {
    "AmazonSSM": "ssm",
    "AWSEvents": "events",
    "GraniteServiceVersion20100801": "cloudwatch",
}


def _action(headers: Any, body: bytes) -> str:
    target = headers.get("X-Amz-Target")
    if target:
        service, _, action = target.partition(".")
        return f"{_SERVICES.get(service, service)}:{action}"
    signed = headers.get("Authorization", "").partition("Credential=")[2].split("/")
    service = signed[3] if len(signed) > 3 else "?"
    action = parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0]
    return f"{'cloudwatch' if service == 'monitoring' else service}:{action}"
