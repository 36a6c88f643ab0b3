"""Next commands, pasted into a shell: each does what is known of it, to the databases that are meant."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ebhook as ebhook_package
from ebhook.next_command import Command, then
from ebhook.report.next_commands import Effect, Invocation, NextCommands, effect_of
from ebhook.scratch.installation import Flavour
from tests.conftest import AnyServer, Fleets, clean_environment
from tests.support.agency import PROJECTS
from tests.support.pasting import read
from tests.support.watching import ask

PACKAGE = Path(ebhook_package.__file__).parent
CONFIG = "stag ing.toml"  # next to an ebhook.toml that leads to production
# What a shape has in the place of a revision, in the project `linear`.
REVISION = "a002"


def shapes() -> list[Command]:
    """Every kind of command that the source makes: verb, and the options that are written there."""
    found: dict[Command, None] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ebhook"):
                continue
            verb = node.args[0]
            if not isinstance(verb, ast.Constant):
                continue
            given = next((k.value for k in node.keywords if k.arg == "words"), None)
            items = given.elts if isinstance(given, ast.List | ast.Tuple) else []
            words = tuple(
                str(item.value) if isinstance(item, ast.Constant) else REVISION for item in items
            )
            tenants = ("",) if len(node.args) > 1 else ()
            found[Command(str(verb.value), tenants, words)] = None
    return list(found)


@pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)
def test_every_command_that_is_made_can_be_pasted(
    server: AnyServer, fleet: Fleets, tmp_path: Path
) -> None:
    """With an odd name, and a settings file beside production's: what only looks changes nothing, what
    changes changes nothing of production, and the command line takes each."""
    production, staging = fleet(1, prefix="prod"), fleet(1, prefix="o'brien x")
    project = tmp_path / "app"
    shutil.copytree(PROJECTS / "linear", project)
    for file, one in ((CONFIG, staging), ("ebhook.toml", production)):
        text = f'[tenants]\nurl = "{one.template}"\nnames = ["{one.names[0]}"]\n'
        (project / file).write_text((PROJECTS / "linear/ebhook.toml").read_text() + "\n" + text)
    (folder := tmp_path / "bin").mkdir()
    (folder / "ebhook").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ebhook "$@"\n')
    (folder / "ebhook").chmod(0o755)
    environment = clean_environment() | {"PATH": f"{folder}:{os.environ['PATH']}"}
    databases = (*production.names, *staging.names)

    def seen() -> dict[str, object]:
        with server.connect() as connection:
            marks = ", ".join(["%s"] * len(databases))
            sql = (
                "SELECT table_schema, table_name, create_time FROM information_schema.tables "
                f"WHERE table_schema IN ({marks}) ORDER BY 1, 2"
            )
            tables = ask(connection, sql, *databases)
        files = {str(p): p.read_bytes() for p in project.rglob("*") if p.suffix in (".py", ".sum")}
        return {
            "production": [row for row in tables if row[0] in production.names],
            "staging": [row for row in tables if row[0] in staging.names],
            "files": files,
        }

    def pasted(shape: Command) -> str:
        """What the command said, in a shell."""
        tenants = staging.names if shape.tenants else ()
        typed = commands.plain(then(Command(shape.verb, tenants, shape.words)))
        done = subprocess.run(
            ["sh", "-c", typed],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{typed}\n{done.stdout}{done.stderr}"
        assert "Usage:" not in done.stderr, said
        assert "no tenant" not in done.stderr, said
        return said

    commands = NextCommands(Invocation(verb="upgrade", config=Path(CONFIG)))
    # Each kind once. What starts servers of its own is pasted by nobody here.
    kinds = {(one.verb, one.words): one for one in sorted(shapes(), key=lambda c: c.tenants)}
    here = [
        one for one in kinds.values() if one.verb not in ("verify", "check", "demo", "rehearse")
    ]
    looks = [one for one in here if effect_of(one.verb, one.words) is Effect.LOOKS]
    changes = [one for one in here if one.verb in ("upgrade", "lock clear") and one not in looks]
    before = seen()

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(pasted, looks))
    assert seen() == before, "\n".join(said)

    for shape in changes:
        told = pasted(shape)
        assert seen()["production"] == before["production"], told
    assert {row[1] for row in seen()["staging"]} >= {"alembic_version", "clients"}  # type: ignore[attr-defined]


def test_the_command_line_takes_each() -> None:
    """Each kind that the source makes is parsed as it would be when typed."""
    for shape in shapes():
        tenants = ("acme",) if shape.tenants else ()
        words = [*shape.verb.split(), *tenants, *shape.words]
        if shape.verb == "downgrade" and not shape.words:
            words.append("base")
        if "--help" in words:
            continue
        assert read(words)[0] == shape.verb
