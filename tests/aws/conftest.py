"""One AWS for all tests of a run; each finds it empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebhook.aws import client as ebhook_aws
from ebhook.settings import Settings, load
from tests.support.cloud import Cloud, cloud


@pytest.fixture(scope="session")
def _cloud() -> Iterator[Cloud]:
    with cloud() as here:
        yield here


@pytest.fixture
def aws(_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """AWS, empty; this process, too, is at home in it."""
    _cloud.reset()
    for name, value in _cloud.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    yield _cloud
    forget()


def forget() -> None:
    """The sessions and clients of the code under test, which are made once in a process."""
    ebhook_aws._session.cache_clear()
    ebhook_aws._made.cache_clear()
    ebhook_aws._region.cache_clear()


@pytest.fixture
def settings(aws: Cloud, tmp_path: Path) -> Callable[..., Settings]:
    """``settings(TENANTS_SSM_PATH="/x")``: what ebhook makes of these variables here."""

    def make(**variables: str) -> Settings:
        environ = aws.environment | {f"EBHOOK_{key}": text for key, text in variables.items()}
        return load(environ, directory=tmp_path)

    return make
