"""ebhook init: what it puts into an application, what it leaves alone, and what it warns of."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from ebhook.aws.bundle import (
    CLOUDWATCH,
    EXTENSION,
    HOOKS,
    SETTINGS,
    FileState,
    bundle_files,
    warnings,
)
from ebhook.errors import Exit
from ebhook.settings import KEYS, load
from tests.conftest import Ebhook

ROOT = Path(__file__).parents[2]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application in a git repository."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "x")
    git(folder, "config", "user.email", "x@example.com")
    (folder / "requirements.txt").write_text("flask\nebhook==1.0\n")
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_this_project_has_its_own_files() -> None:
    """The files at the root of ebhook's own repository are those that init writes."""
    states = {f.name: f.state for f in bundle_files(ROOT, cloudwatch=False)}

    assert {states[name] for name in (*HOOKS, EXTENSION)} == {FileState.SAME}
    assert not [line for line in warnings(ROOT) if line.startswith((".platform", ".ebext"))]


def test_everything_is_put_in_place(ebhook: Ebhook, app: Path) -> None:
    """Into an application that has nothing; and a second time nothing happens."""
    first = ebhook("init", str(app))
    written = {path: path.read_bytes() for path in app.rglob("*50_ebhook*")}
    second = ebhook("init", cwd=app)

    assert first.code == second.code == Exit.OK, first.stderr
    assert {str(path.relative_to(app)) for path in written} == {*HOOKS, EXTENSION}
    assert all((app / name).stat().st_mode & 0o111 == 0o111 for name in HOOKS)
    assert second.stdout.count("unchanged") == 3
    assert "yours, left as it is" in second.stdout
    assert {path: path.read_bytes() for path in app.rglob("*50_ebhook*")} == written
    assert not (app / CLOUDWATCH).exists()


def test_the_settings_are_a_file_to_fill_in(ebhook: Ebhook, app: Path) -> None:
    """As it is written it says nothing; with every comment removed, each key of it exists."""
    ebhook("init", str(app))
    text = (app / SETTINGS).read_text()

    settings = load({}, directory=app)

    assert settings.file == app / SETTINGS
    assert settings.origins == {}
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    keys = tomllib.loads("\n".join(x for x in lines if " = " in x or x.startswith("[")))
    flat = {f"{k}.{i}" for k, v in keys.items() if isinstance(v, dict) for i in v}
    assert flat | {k for k, v in keys.items() if not isinstance(v, dict)} <= KEYS.keys()
    assert len(flat) > 15


def test_what_differs_is_shown_and_left(ebhook: Ebhook, app: Path) -> None:
    """Nothing is overwritten silently: exit 1 and a diff; with --overwrite it is replaced."""
    ebhook("init", str(app))
    hook, own = app / HOOKS[0], app / SETTINGS
    hook.write_text("#!/bin/bash\necho mine\n")
    own.write_text("migrations = 'db'\n")

    left = ebhook("init", cwd=app)
    assert left.code == Exit.FINDINGS
    assert "-echo mine" in left.stdout
    assert "--overwrite" in left.stdout
    assert hook.read_text() == "#!/bin/bash\necho mine\n"

    shown = ebhook("init", "--overwrite", "--dry-run", cwd=app)
    assert "would be overwritten" in shown.stdout
    assert hook.read_text() == "#!/bin/bash\necho mine\n"

    replaced = ebhook("init", "--overwrite", cwd=app)
    assert replaced.code == Exit.OK
    assert "-echo mine" in replaced.stdout
    assert "ebhook" in hook.read_text()
    assert own.read_text() == "migrations = 'db'\n"


def test_other_ends_of_lines_are_a_difference_that_shows(ebhook: Ebhook, app: Path) -> None:
    """A diff of lines that look the same would be a riddle."""
    ebhook("init", str(app))
    path = app / EXTENSION
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    ran = ebhook("init", cwd=app)

    assert ran.code == Exit.FINDINGS
    assert "-option_settings:^M\n" in ran.stdout
    assert "+option_settings:\n" in ran.stdout


def test_a_dry_run_writes_nothing(ebhook: Ebhook, app: Path) -> None:
    """It shows all that would be written."""
    ran = ebhook("init", "--dry-run", "--cloudwatch", "--json", cwd=app)

    assert ran.code == Exit.OK
    assert {f["state"] for f in ran.json()["files"]} == {"new"}
    assert not (app / ".platform").exists()


def test_cloudwatch_is_asked_for_once(ebhook: Ebhook, app: Path) -> None:
    """After that its file is looked after like the others."""
    ebhook("init", "--cloudwatch", cwd=app)
    (app / CLOUDWATCH).write_text("packages: {}\n")

    assert ebhook("init", cwd=app).code == Exit.FINDINGS


def test_a_folder_that_is_not_there(ebhook: Ebhook, tmp_path: Path) -> None:
    """Nothing is made up."""
    assert ebhook("init", str(tmp_path / "none")).code == Exit.USAGE
    assert not (tmp_path / "none").exists()


# --- warnings ------------------------------------------------------------------------------------


def test_nothing_to_warn_of(ebhook: Ebhook, app: Path) -> None:
    """All files as they are written, committed."""
    ebhook("init", cwd=app)
    git(app, "add", "--all")

    assert warnings(app) == []


def test_hooks_that_cannot_run(ebhook: Ebhook, app: Path) -> None:
    """The exec bit, on disk and in git; ends of lines, as they are and as git makes them."""
    ebhook("init", cwd=app)
    git(app, "add", "--all")
    git(app, "update-index", "--chmod=-x", HOOKS[1])
    (app / HOOKS[0]).chmod(0o644)
    (app / HOOKS[0]).write_bytes((app / HOOKS[0]).read_bytes().replace(b"\n", b"\r\n"))
    (app / ".gitattributes").write_text("*.config eol=crlf\n")

    told = warnings(app)

    assert [line.partition(":")[0] for line in told] == [HOOKS[1], HOOKS[0], HOOKS[0], EXTENSION]
    assert f"git update-index --chmod=+x {HOOKS[1]}" in told[0]
    assert f"chmod +x {HOOKS[0]}" in told[1]
    assert "CRLF" in told[2]
    assert ".gitattributes" in told[3]


@pytest.mark.parametrize(
    ("ignoring", "left_out"),
    [
        (".*\n", {*HOOKS, EXTENSION}),
        ("node_modules\n.platform/\n", {*HOOKS}),
        (".*\n!.platform\n!.ebextensions/\n", set()),
        ("*\n!*.py\n", {*HOOKS, EXTENSION, SETTINGS}),
        ("confighooks\n", {HOOKS[1]}),
    ],
)
@pytest.mark.parametrize("name", [".ebignore", ".gitignore"])
def test_files_that_do_not_get_into_the_bundle(
    ebhook: Ebhook, app: Path, name: str, ignoring: str, left_out: set[str]
) -> None:
    """`eb deploy` takes what git has; with an .ebignore, the folder less what that says."""
    ebhook("init", cwd=app)
    (app / name).write_text(ignoring)

    told = [line for line in warnings(app) if line.startswith(name)]

    assert {line.split()[2] for line in told} == left_out


def test_an_ebignore_is_read_without_a_repository(ebhook: Ebhook, tmp_path: Path) -> None:
    """A folder that git knows nothing of can be deployed, too."""
    ebhook("init", str(tmp_path))
    (tmp_path / ".ebignore").write_text(".*\n")

    assert len([line for line in warnings(tmp_path) if line.startswith(".ebignore")]) == 3


def test_without_git_an_ebignore_is_not_judged(
    ebhook: Ebhook, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that is said: silence would mean that it is fine."""
    ebhook("init", cwd=app)
    (app / ".ebignore").write_text(".*\n")
    monkeypatch.setenv("PATH", str(app))

    assert [line.partition(":")[0] for line in warnings(app)] == [".ebignore"]


def test_a_bundle_without_ebhook(ebhook: Ebhook, app: Path) -> None:
    """The hook runs what requirements.txt installs."""
    (app / "requirements.txt").write_text("flask\n# not ebhook-like\nmy-ebhook\n")
    ebhook("init", cwd=app)

    (told,) = warnings(app)

    assert told.startswith("requirements.txt: has no ebhook")


def test_another_hook_that_upgrades(ebhook: Ebhook, app: Path) -> None:
    """What ebhook takes the place of has to go."""
    ebhook("init", cwd=app)
    other = app / ".platform/hooks/postdeploy/01_migrate.sh"
    other.parent.mkdir()
    other.write_text("#!/bin/bash\nflask db upgrade\n")
    other.chmod(0o755)
    (app / ".ebextensions/01.config").write_text(
        "container_commands:\n  01:\n    command: alembic upgrade head\n    leader_only: true\n"
    )

    assert [line.partition(":")[0] for line in warnings(app)] == [
        ".platform/hooks/postdeploy/01_migrate.sh",
        ".ebextensions/01.config",
    ]
