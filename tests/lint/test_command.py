"""``ebhook lint`` as a user runs it: exit codes, options, settings."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Ebhook
from tests.projects.make_chain import make_chain
from tests.support.lint_cases import case

GOOD = """\
def upgrade():
    op.create_table("b", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade():
    op.drop_table("b")
"""
BAD = """\
def upgrade():
    op.drop_column("cases", "note")


def downgrade():
    op.add_column("cases", sa.Column("note", sa.Text()))
"""
ROOT = Path(__file__).parents[2]


def project(root: Path, body: str, toml: str = "") -> Path:
    case("EBH001", False, "a project", body).write(root)
    (root / "ebhook.toml").write_text(f"env_py = false\n{toml}")
    return root


def test_the_chain_of_this_repository_has_no_findings(ebhook: Ebhook) -> None:
    """Its own good chain; exit 0, in one line."""
    ran = ebhook("lint", cwd=ROOT)

    assert ran.code == 0, ran.stdout
    assert ran.stdout.startswith("No findings, 1 allowed; 14 revisions judged")


def test_findings_exit_with_1_and_a_broken_chain_with_65(ebhook: Ebhook, tmp_path: Path) -> None:
    """The worst finding decides."""
    root = project(tmp_path / "bad", BAD)
    bad = ebhook("lint", "--format", "json", cwd=root)
    versions = root / "migrations" / "versions"
    (versions / "c003_jms_3_x.py").write_text(
        '"""JMS-3 x"""\nrevision = "c003"\ndown_revision = "a00\n'
    )
    broken = ebhook("lint", "--json", cwd=root)

    assert bad.code == bad.json()["exit_code"] == 1
    assert broken.code == broken.json()["exit_code"] == 65
    assert {"EBH025", "EBH002"} <= {one["rule"] for one in broken.json()["findings"]}


def test_no_chain_is_65_and_wrong_settings_are_78(ebhook: Ebhook, tmp_path: Path) -> None:
    """Each with the key or the folder that is wrong."""
    root = project(tmp_path / "good", GOOD)
    nowhere = ebhook("lint", cwd=root, env={"EBHOOK_MIGRATIONS": "nowhere"})
    server = ebhook("lint", cwd=root, env={"EBHOOK_LINT_SERVER": "mysql-5.7"})
    ignored = ebhook("lint", cwd=root, env={"EBHOOK_LINT_IGNORE": "EBH999"})
    after = ebhook("lint", cwd=root, env={"EBHOOK_LINT_AFTER": "zzz"})

    assert (nowhere.code, server.code, ignored.code, after.code) == (65, 78, 78, 78)
    assert "is not a folder" in nowhere.stderr
    assert "lint.server" in server.stderr
    assert "there is no rule EBH999" in ignored.stderr
    assert "lint.after" in after.stderr


def test_usage_errors_are_64(ebhook: Ebhook, tmp_path: Path) -> None:
    """A revision that there is not; --since outside of git; a format that there is not."""
    root = project(tmp_path / "good", GOOD)

    assert ebhook("lint", "zzz", cwd=root).code == 64
    assert ebhook("lint", "--since", "main", cwd=root).code == 64
    assert ebhook("lint", "--format", "xml", cwd=root).code == 64


def test_one_revision_can_be_judged_by_the_start_of_its_id(ebhook: Ebhook, tmp_path: Path) -> None:
    """Or by its file."""
    root = project(tmp_path / "bad", BAD)

    assert ebhook("lint", "a001", cwd=root).code == 0
    assert ebhook("lint", "b00", cwd=root).code == 1
    assert ebhook("lint", "migrations/versions/b002_jms_2_a_case.py", cwd=root).code == 1


def test_settings_say_where_judging_begins_and_what_is_ignored(
    ebhook: Ebhook, tmp_path: Path
) -> None:
    """lint.after and lint.ignore, from the file."""
    after = project(tmp_path / "after", BAD, '[lint]\nafter = "b002"\n')
    ignore = project(tmp_path / "ignore", BAD, '[lint]\nignore = ["EBH002"]\n')

    assert ebhook("lint", cwd=after).code == 0
    assert ebhook("lint", cwd=ignore).code == 0


def test_what_a_migration_prints_is_not_in_the_report(ebhook: Ebhook, tmp_path: Path) -> None:
    """The document on stdout is all that there is."""
    root = project(tmp_path / "good", f"print('at import')\n{GOOD}    print('x')\n")

    ran = ebhook("lint", "--json", cwd=root)

    assert json.loads(ran.stdout)["findings"] == []
    assert ran.stderr == ""


def test_a_migration_reaches_nothing(ebhook: Ebhook, tmp_path: Path) -> None:
    """No file below the project is written, no connection tried: each is a finding instead."""
    flag = tmp_path / "flag"
    root = project(
        tmp_path / "bad",
        f"""\
import subprocess, sys


def upgrade():
    op.create_table("b", sa.Column("id", sa.Integer(), primary_key=True))
    subprocess.run([sys.executable, "-c", "open({str(flag)!r}, 'w')"])


def downgrade():
    op.drop_table("b")
""",
    )

    ran = ebhook("lint", "--json", cwd=root)

    assert "EBH083" in {one["rule"] for one in ran.json()["findings"]}
    assert not flag.exists()


def test_the_rules_can_be_listed(ebhook: Ebhook) -> None:
    """Without a project."""
    ran = ebhook("lint", "--rules")

    assert ran.code == 0
    assert "EBH001  a table is dropped" in ran.stdout


def test_500_revisions_take_seconds(ebhook: Ebhook, tmp_path: Path) -> None:
    """About two on a machine with nothing else to do."""
    made = make_chain(tmp_path / "long", 500)

    ran = ebhook("lint", "--json", cwd=made.folder)

    assert ran.json()["judged"] == 500
    assert {one["rule"] for one in ran.json()["findings"]} == {"EBH051"}
    assert ran.seconds < 30
