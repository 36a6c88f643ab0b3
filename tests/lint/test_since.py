"""``--since``: what a branch adds, in real git repositories."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ebhook.errors import UsageFailed
from ebhook.lint.checking import Report, check
from ebhook.settings import Settings
from tests.support.lint_cases import FOLDER

REVISION = '''\
"""JMS-{number} {id}

Revision ID: {id}
Revises: {parents}
"""

import sqlalchemy as sa
from alembic import op

revision = "{id}"
down_revision = {down}


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''


class Repository:
    """A project under git; `add` writes a revision that drops a column, which is a finding."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.versions = root / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        base = (FOLDER / "base.py").read_text("utf-8")
        (self.versions / "a001_jms_1_base.py").write_text(base)
        self.git("init", "-q", "-b", "main")
        self.commit("base")

    def git(self, *words: str) -> str:
        identity = {
            f"GIT_{who}_{what}": "x@example.com" if what == "EMAIL" else "x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            env=clean | identity | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def add(self, id: str, *parents: str, column: str = "note") -> Path:
        down = repr(parents[0]) if len(parents) == 1 else repr(parents)
        drop = f'op.drop_column("cases", "{column}")' if column else "pass"
        back = f'op.add_column("cases", sa.Column("{column}", sa.Text()))' if column else "pass"
        path = self.versions / f"{id}_jms_{id[1:].lstrip('0')}_{id}.py"
        path.write_text(
            REVISION.format(
                id=id,
                number=id[1:].lstrip("0"),
                parents=", ".join(parents),
                down=down,
                upgrade=drop,
                downgrade=back,
            )
        )
        return path

    def lint(self, since: str = "main") -> Report:
        return check(Settings(root=self.root, env_py=False), since=since)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


def found(report: Report) -> Counter[tuple[str | None, str]]:
    return Counter((one.revision, one.rule.id) for one in report.findings)


def test_only_what_the_branch_adds_is_judged(repository: Repository) -> None:
    """Committed or not; what main has is only run, for the schema."""
    repository.add("b002", "a001")
    repository.commit("on main, before the rules")
    repository.git("switch", "-q", "-c", "feature")
    repository.add("c003", "b002", column="score")
    repository.commit("on the branch")
    repository.add("d004", "c003", column="title")

    report = repository.lint()

    assert {one.revision for one in report.findings} == {"c003", "d004"}
    assert (report.judged, report.revisions) == (2, 4)


def test_a_branch_that_merged_main_adds_only_its_own(repository: Repository) -> None:
    """Also when the local main is older than what was merged."""
    repository.git("switch", "-q", "-c", "feature")
    repository.add("c003", "a001", column="score")
    repository.commit("on the branch")
    repository.git("switch", "-q", "main")
    repository.add("b002", "a001")
    repository.commit("on main")
    repository.git("switch", "-q", "feature")
    repository.git("merge", "-q", "--no-edit", "main")
    repository.add("d004", "b002", "c003", column="")

    report = repository.lint()

    assert found(report)["c003", "EBH002"] == 1
    assert {one.revision for one in report.findings} <= {"c003", "d004"}
    assert report.judged == 2


def test_a_file_that_is_only_renamed_is_not_added(repository: Repository) -> None:
    """A revision is known by its id."""
    path = repository.add("b002", "a001")
    repository.commit("on main")
    repository.git("switch", "-q", "-c", "feature")
    path.rename(path.with_name("b002_jms_2_another_name.py"))
    repository.commit("renamed")

    assert repository.lint().judged == 0


def test_an_old_revision_that_the_branch_edits_is_named(repository: Repository) -> None:
    """Although it is not judged again."""
    path = repository.add("b002", "a001")
    repository.commit("on main")
    repository.git("switch", "-q", "-c", "feature")
    path.write_text(path.read_text().replace("note", "title"))

    assert found(repository.lint()) == Counter({("b002", "EBH029"): 1})


def test_two_heads_are_found_whoever_made_the_other_one(repository: Repository) -> None:
    """A branch from before main's newest revision; the branch's own revision is to be moved."""
    repository.git("switch", "-q", "-c", "feature")
    repository.add("c003", "a001", column="score")
    repository.commit("on the branch")
    repository.git("switch", "-q", "main")
    repository.add("z002", "a001")
    repository.commit("on main")
    repository.git("switch", "-q", "feature")
    repository.git("merge", "-q", "--no-edit", "main")

    report = repository.lint()

    assert found(report)["c003", "EBH020"] == 1
    assert report.exit_code == 65


def test_a_ref_that_is_not_there_is_a_usage_error(repository: Repository) -> None:
    """As in a shallow clone, where it was not fetched."""
    with pytest.raises(UsageFailed, match="git knows no commit 'origin/main'"):
        repository.lint("origin/main")


def test_outside_of_git_is_a_usage_error(tmp_path: Path) -> None:
    """With the way out."""
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)

    with pytest.raises(UsageFailed, match="is in no git repository"):
        check(Settings(root=tmp_path, env_py=False), since="main")


def test_unrelated_histories_are_compared_by_what_they_have(repository: Repository) -> None:
    """No common ancestor is no reason to fail."""
    repository.git("switch", "-q", "--orphan", "new")
    base = (FOLDER / "base.py").read_text("utf-8")
    repository.versions.mkdir(parents=True, exist_ok=True)
    (repository.versions / "a001_jms_1_base.py").write_text(base)
    repository.add("b002", "a001")
    repository.commit("new")

    report = repository.lint()

    assert report.judged == 1
    assert found(report)["b002", "EBH002"] == 1
