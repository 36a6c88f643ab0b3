"""Who a holder is: cloud-init's file, the metadata service, the host; and never slowly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ebhook.aws.beanstalk import ask_metadata
from ebhook.aws.deployed import identify
from ebhook.settings import METADATA, load
from tests.support.hook.instance import Instance

Instances = Callable[..., Instance]

SAY = [
    "-c",
    "import json, os, pathlib; from ebhook.aws.deployed import identify; from ebhook.settings import load;"
    "h = identify('boot', load(os.environ, directory=pathlib.Path('/')));"
    "print(json.dumps([h.name, h.environment, h.version_label]))",
]


@contextmanager
def metadata_service(*, version: int = 2, seconds: float = 0) -> Iterator[str]:
    """EC2's, as IMDSv2: no token, no answer. With `version` 1 it gives none."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            time.sleep(seconds)
            lives = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            known = self.path == "/latest/api/token" and version == 2 and lives
            self._answer(200 if known else 403, "TOKEN")

        def do_GET(self) -> None:
            time.sleep(seconds)
            known = self.headers.get("X-aws-ec2-metadata-token") == "TOKEN"
            known = known and self.path == "/latest/meta-data/instance-id"
            self._answer(200 if known else 401, "i-0fromimds")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_cloud_init_knows_the_instance(instances: Instances) -> None:
    """Its file is there on every instance; environment and label come from the platform."""
    instance = instances("i-0abc1234")
    place = instance.path("/opt/elasticbeanstalk/deployment/app_version_manifest.json")
    place.write_text('{"VersionLabel": "v512"}')

    ran = instance.run(["/var/app/venv/staging-LQM1lest/bin/python", *SAY])

    assert ran.json() == ["i-0abc1234", "agencies-prod", "v512"], ran.stderr


@pytest.mark.parametrize("kept", ["", "nocloud\n", "iid-datasource-none\n"])
def test_a_file_that_is_of_no_instance(instances: Instances, kept: str) -> None:
    """Then it is the metadata service, when that is there; else the host's name."""
    instance = instances("x")
    instance.path("/var/lib/cloud/data/instance-id").write_text(kept)
    instance.misbehave("fails")
    python = "/var/app/venv/staging-LQM1lest/bin/python"
    with metadata_service() as endpoint:
        env = {"PATH": "/usr/bin", "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}

        asked = instance.run([python, *SAY], env=env)
        disabled = instance.run([python, *SAY], env=env | {"AWS_EC2_METADATA_DISABLED": "true"})

    assert asked.json() == ["i-0fromimds", None, None], asked.stderr
    assert disabled.json()[0] == socket.gethostname()


def test_a_service_without_tokens_is_not_asked() -> None:
    """The older protocol answers anybody that can make an instance ask."""
    with metadata_service(version=1) as endpoint:
        assert ask_metadata(endpoint, "instance-id") is None


@pytest.mark.parametrize("seconds", [0.6, 5])
def test_a_slow_service_costs_a_second_at_most(seconds: float) -> None:
    """Whoever asks goes on without."""
    with metadata_service(seconds=seconds) as endpoint:
        began = time.monotonic()
        assert ask_metadata(endpoint, "instance-id") is None
        assert time.monotonic() - began < 1.3


def test_a_service_that_takes_and_says_nothing_costs_a_second_at_most() -> None:
    """A black hole, as far as a connection can tell."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert ask_metadata(endpoint, "instance-id") is None
        assert time.monotonic() - began < 1.3


def test_off_aws_nobody_is_asked(tmp_path: Path) -> None:
    """What does not look like EC2 is not asked over the network at all."""
    began = time.monotonic()
    for _ in range(20):
        identify("boot", load({}, directory=tmp_path))
    assert ask_metadata(METADATA, "instance-id") is None
    assert time.monotonic() - began < 0.5
