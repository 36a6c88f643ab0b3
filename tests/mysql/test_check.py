"""``ebhook check``: what a branch adds, by the rules and on a server, in one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import AnyServer, Ebhook
from tests.lint.test_since import REVISION, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A project under git, on a branch that has nothing of its own yet."""
    made = Repository(tmp_path)
    (tmp_path / "ebhook.toml").write_text("env_py = false\n")
    made.commit("settings")
    made.git("checkout", "-q", "-b", "feature")
    return made


def revision(repository: Repository, upgrade: str, downgrade: str) -> None:
    text = REVISION.format(
        number=2, id="b002", parents="a001", down='"a001"', upgrade=upgrade, downgrade=downgrade
    )
    (repository.versions / "b002_jms_2_x.py").write_text(text)


def check(repository: Repository, ebhook: Ebhook, server: AnyServer, *more: str) -> tuple[int, str]:
    ran = ebhook(
        "check", "--since", "main", *more,
        cwd=repository.root,
        env={
            "EBHOOK_SCRATCH_URL": server.url(),
            "EBHOOK_SCRATCH_FLAVOURS": str(server.flavour),
            "EBHOOK_LINT_SERVER": "mysql-9.7" if str(server.flavour) == "mysql" else "mariadb-10.11",
        },
    )  # fmt: skip
    return ran.code, ran.stdout or ran.stderr


def test_one_report_has_what_lint_and_a_server_say(
    repository: Repository, ebhook: Ebhook, server: AnyServer
) -> None:
    """A downgrade that lint cannot see through, and that leaves a table behind, is found by the server."""
    revision(
        repository,
        'op.drop_column("cases", "note"); op.create_table("x", sa.Column("id", sa.Integer(), primary_key=True))',
        'op.add_column("cases", sa.Column("note", sa.Text()))',
    )
    code, told = check(repository, ebhook, server, "--format", "json")
    rules = {one["rule"] for one in json.loads(told)["findings"]}

    assert code == 1, told
    assert {"EBH002", "EBH010", "verify"} <= rules
    for format in ("github", "sarif"):
        code, told = check(repository, ebhook, server, "--format", format)
        assert code == 1
        assert "its downgrade does not undo its upgrade" in told


def test_a_branch_that_is_fine_is_fine(
    repository: Repository, ebhook: Ebhook, server: AnyServer
) -> None:
    """0, and nothing found; a branch that adds no revision starts no server."""
    code, told = check(repository, ebhook, server)
    assert (code, "No findings" in told) == (0, True), told
    revision(
        repository,
        'op.add_column("cases", sa.Column("tier", sa.Integer(), nullable=True))',
        'op.drop_column("cases", "tier")',
    )
    code, told = check(repository, ebhook, server)

    assert (code, "No findings" in told) == (0, True), told
