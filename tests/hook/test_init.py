"""ebhook init: what it puts into an application, what it leaves alone, and what it warns of."""

from __future__ import annotations

import io
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from ebhook.aws.bundle import (
    CLOUDWATCH,
    EXTENSION,
    HOOKS,
    SETTINGS,
    TEMPLATES,
    FileState,
    bundle_files,
)
from ebhook.aws.bundle_checks import warnings
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


def archived(folder: Path) -> set[str]:
    """The files of the bundle that `eb deploy` would make of what is committed."""
    zipped = subprocess.run(
        ["git", "archive", "--format=zip", "HEAD"], cwd=folder, check=True, capture_output=True
    ).stdout
    return set(zipfile.ZipFile(io.BytesIO(zipped)).namelist())


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
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "--message", "x", "--allow-empty")
    if name == ".gitignore":
        assert set(TEMPLATES) - {CLOUDWATCH} - archived(app) == left_out


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
    (app / "requirements.txt").write_text("flask\n# ebhook\nmy-ebhook\nebhook-like\n")
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


@pytest.mark.parametrize(
    "attributes", [".platform export-ignore\n", ".platform/hooks/** export-ignore\n"]
)
def test_files_that_git_does_not_export(ebhook: Ebhook, app: Path, attributes: str) -> None:
    """`git archive` leaves them out; so say the warnings, and no others."""
    ebhook("init", cwd=app)
    (app / ".gitattributes").write_text(attributes)
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "--message", "x")

    told = {line.split()[2] for line in warnings(app) if line.startswith(".gitattributes")}

    assert told == set(TEMPLATES) - {CLOUDWATCH} - archived(app) != set()


@pytest.mark.parametrize(
    "attributes", ["", ".platform/** eol=lf\n", "*.sh -text\n*.config -text\n"]
)
def test_ends_of_lines_that_git_writes(ebhook: Ebhook, app: Path, attributes: str) -> None:
    """A machine that has core.autocrlf makes bundles with CRLF, unless .gitattributes says otherwise."""
    ebhook("init", cwd=app)
    (app / ".gitattributes").write_text(attributes)
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "--message", "x")
    git(app, "config", "core.autocrlf", "true")
    zipped = subprocess.run(
        ["git", "archive", "--format=zip", "HEAD"], cwd=app, check=True, capture_output=True
    ).stdout
    files = zipfile.ZipFile(io.BytesIO(zipped))
    spoilt = {name for name in (*HOOKS, EXTENSION) if b"\r\n" in files.read(name)}

    told = {line.partition(":")[0] for line in warnings(app) if "autocrlf" in line}

    assert told == spoilt


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"requirements.txt": "ebhook>=1 ; python_version > '3'\n"}, True),
        ({"requirements.txt": "./wheels/ebhook-0.1.0-py3-none-any.whl\n"}, True),
        ({"requirements.txt": "ebhook @ git+https://git.example.com/tools/ebhook.git@main\n"}, True),
        ({"requirements.txt": "git+https://git.example.com/tools/ebhook.git#egg=ebhook\n"}, True),
        ({"requirements.txt": "-r requirements/base.txt\n", "requirements/base.txt": "-r all.txt",
          "requirements/all.txt": "flask\nEBHOOK\n"}, True),
        ({"requirements.txt": "-e .\n", "pyproject.toml": 'dependencies = ["flask", "ebhook"]'}, True),
        ({"requirements.txt": ".\n", "setup.cfg": "install_requires =\n    ebhook\n"}, True),
        ({"requirements.txt": "-e .\n", "pyproject.toml": 'dependencies = ["flask"]'}, False),
        ({"Pipfile": '[packages]\nebhook = "*"\n'}, True),
        ({"pyproject.toml": 'dependencies = [\n  "ebhook[dask]",\n]'}, True),
        ({"requirements.txt": "-r requirements.txt\nebhooks\nebhook-like\n# ebhook\n"}, False),
    ],
)  # fmt: skip
def test_where_ebhook_may_be_required(
    ebhook: Ebhook, app: Path, files: dict[str, str], found: bool
) -> None:
    """In every form that pip and the platform read."""
    ebhook("init", cwd=app)
    (app / "requirements.txt").unlink()
    for name, text in files.items():
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text(text)

    told = [line for line in warnings(app) if "has no ebhook" in line]

    assert (told == []) is found


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("Procfile", "web: flask db upgrade && gunicorn app", "Procfile: upgrades databases, too"),
        ("Buildfile", "build: alembic upgrade head", "Buildfile: upgrades databases, too"),
        ("scripts/deploy.sh", "flask db upgrade", "scripts/deploy.sh: upgrades databases, too"),
        ("Procfile", "web: gunicorn app  # no flask db upgrade here", None),
        ("Dockerfile", "FROM python", "Dockerfile: on a Docker platform"),
        (".elasticbeanstalk/config.yml", "global:\n  default_platform: Python 3.9 running on 64bit",
         ".elasticbeanstalk/config.yml: Python 3.9 running on 64bit is older than Python 3.11"),
        (".elasticbeanstalk/config.yml", "global:\n  default_platform: Node.js 20",
         ".elasticbeanstalk/config.yml: Node.js 20 has no Python"),
        (".elasticbeanstalk/config.yml", "global:\n  default_platform: Python 3.12 on 64bit", None),
        (".ebextensions/02.config", "container_commands:\n  01:\n    command: flask seed\n",
         ".ebextensions/02.config: 'flask seed' is a container_command"),
        (".ebextensions/02.config", "commands:\n  01:\n    command: flask seed\n", None),
        (".ebextensions/02.config", "container_commands:\n  01:\n    command: ls\nfiles:\n  a: manage.py x\n",
         None),
    ],
)  # fmt: skip
def test_what_else_is_in_the_bundle(
    ebhook: Ebhook, app: Path, name: str, text: str, told: str | None
) -> None:
    """Other upgrades, commands that come too early, platforms without a Python; and no false alarm."""
    ebhook("init", cwd=app)
    (app / name).parent.mkdir(exist_ok=True)
    (app / name).write_text(text)

    found = warnings(app)

    assert [line for line in found if told is None or not line.startswith(told)] == []
    assert len(found) == (told is not None)


def test_a_check_for_ci(ebhook: Ebhook, app: Path) -> None:
    """`init --check` writes nothing, and exits 1 for a file that is not there, differs, or will not work."""
    lacks = ebhook("init", "--check", cwd=app)
    assert lacks.code == Exit.FINDINGS
    assert not (app / ".platform").exists()

    ebhook("init", cwd=app)
    git(app, "add", "--all")
    assert ebhook("init", "--check", cwd=app).code == Exit.OK

    (app / "requirements.txt").write_text("flask\n")
    warned = ebhook("init", "--check", cwd=app)
    assert warned.code == Exit.FINDINGS
    assert "has no ebhook" in warned.stdout
