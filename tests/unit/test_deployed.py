"""Which bundle of an instance is meant, its label, and its modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebhook.aws import beanstalk, deployed
from ebhook.aws.deployed import choose, flask_app_of, label_of, modules_of, remember_label
from ebhook.errors import UsageFailed


class Platform:
    """Folders of an instance, somewhere else."""

    def __init__(self, folder: Path) -> None:
        self.app = folder / "app"
        self.manifest = folder / "manifest.json"
        self.app.mkdir()

    def stage(self, label: str) -> Path:
        """A bundle in staging, with the label that the platform then knows."""
        self.manifest.write_text(json.dumps({"VersionLabel": label}))
        staging = self.app / "staging"
        staging.mkdir()
        (staging / "ebhook.toml").touch()
        return staging

    def flip(self) -> Path:
        """The staged bundle is the one that runs."""
        return (self.app / "staging").rename(self.app / "current")


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform(tmp_path)
    monkeypatch.setattr(beanstalk, "APP", made.app)
    monkeypatch.setattr(beanstalk, "PLATFORM", tmp_path)
    monkeypatch.setattr(beanstalk, "MANIFEST", made.manifest)
    monkeypatch.setattr(deployed, "LABELS", tmp_path / "kept" / "labels.json")
    monkeypatch.delenv("PORT", raising=False)
    return made


def test_off_the_platform_a_folder_is_itself(tmp_path: Path) -> None:
    """Nothing else is looked for."""
    assert choose(None, tmp_path).folder == tmp_path
    assert choose(str(tmp_path)).folder == tmp_path


def test_the_bundle_that_runs(platform: Platform, tmp_path: Path) -> None:
    """From any folder, and without a word, where there is no other."""
    platform.stage("v1")
    current = platform.flip()

    chosen = choose(None, tmp_path)

    assert (chosen.folder, chosen.note) == (current, "")
    assert label_of(current) == "v1"


def test_the_bundle_that_failed(platform: Platform, tmp_path: Path) -> None:
    """It is the one that a person has just seen, and the line says which one it is."""
    remember_label(platform.stage("v1"))
    current = platform.flip()
    staging = platform.stage("v2")

    chosen = choose(None, tmp_path)

    assert chosen.folder == staging
    assert f"{staging} (v2), the bundle that is being deployed, or failed." in chosen.note
    assert chosen.note.endswith("The one that runs: --bundle current")
    assert choose("current").folder == current
    assert choose("current").note == ""


def test_a_shell_in_the_bundle_that_runs_means_that(platform: Platform) -> None:
    """The line names the other one."""
    platform.stage("v1")
    current = platform.flip()
    platform.stage("v2")

    chosen = choose(None, current)

    assert chosen.folder == current
    assert chosen.note.endswith("or failed: --bundle staging")


def test_each_bundle_has_its_own_label(platform: Platform) -> None:
    """The platform knows the last one alone; that of the one that runs was kept by its own boot."""
    remember_label(platform.stage("v1"))
    current = platform.flip()
    staging = platform.stage("v2")

    assert label_of(current / "migrations") == "v1"
    assert label_of(staging) == "v2"


def test_a_label_that_nobody_kept_is_not_known(platform: Platform) -> None:
    """Never that of the bundle that failed."""
    platform.stage("v1")
    current = platform.flip()
    platform.stage("v2")

    assert label_of(current) is None


def test_a_hook_is_told_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in its own bundle."""
    platform.stage("v1")
    platform.flip()
    staging = platform.stage("v2")
    monkeypatch.setenv("PORT", "8000")

    assert choose(None, staging).note == ""


def test_a_bundle_that_is_not_there(platform: Platform) -> None:
    """Is refused, with the place that was looked at."""
    with pytest.raises(UsageFailed, match="staging: there is no folder"):
        choose("staging")


def test_modules_of_a_staged_bundle_are_its_own(platform: Platform) -> None:
    """A PYTHONPATH that names the running bundle would give it the old ones."""
    platform.stage("v1")
    current = platform.flip()
    staging = platform.stage("v2")
    paths = [f"{current}/src", str(current), "/usr/lib/python3", "", f"{current}er/src"]

    assert modules_of(paths, staging) == [
        f"{staging}/src",
        str(staging),
        "/usr/lib/python3",
        "",
        f"{current}er/src",
    ]
    assert modules_of(paths, current) == paths


@pytest.mark.parametrize(
    ("files", "said", "app"),
    [
        (["app.py", "application.py"], "x:y", None),
        (["wsgi.py"], None, None),
        (["application.py"], None, "application:application"),
        (["application.py"], "application", "application:application"),
        ([], "src.shop.wsgi:application", "src.shop.wsgi:application"),
        ([], "shop/wsgi.py", "shop.wsgi"),
        ([], None, None),
    ],
)
def test_the_application_that_would_be_served(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    said: str | None,
    app: str | None,
) -> None:
    """Where flask itself finds none: WSGIPath, then the platform's own default."""
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(beanstalk, "wsgi_path", lambda: said)

    assert flask_app_of(tmp_path) == app
