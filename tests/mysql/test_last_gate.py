"""The last gate: pending revisions that break a rule are held back before any tenant is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency

FILE = '''\
"""JMS-9 {id}

Revision ID: {id}
Revises: {parent}

"""

import sqlalchemy as sa
from alembic import op

revision = "{id}"
down_revision = "{parent}"


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''
DROP = 'op.drop_column("visits", "visited_on")'
BACK = 'op.add_column("visits", sa.Column("visited_on", sa.Date(), nullable=True))'


class Gated:
    """Three tenants at a002 of a chain of the test's own, behind a gate that is not left open."""

    def __init__(self, agency: Agency) -> None:
        self.agency = agency
        for name in agency.names[:2]:
            agency.stand_at_a002(name)
        agency.stand(agency.names[2])

    def revision(
        self, id: str, upgrade: str, downgrade: str = "pass", parent: str = "a002"
    ) -> Path:
        path = self.agency.project / "migrations" / "versions" / f"{id}_jms_9_x.py"
        path.write_text(FILE.format(id=id, parent=parent, upgrade=upgrade, downgrade=downgrade))
        return path

    def run(self, *arguments: str, **settings: object):  # type: ignore[no-untyped-def]
        return self.agency.run(*arguments, boot_rules=settings.pop("rules", None), **settings)

    @property
    def untouched(self) -> bool:
        """No tenant has moved, nor a lock or a journal of ours."""
        names = self.agency.names
        own = {"alembic_version", "clients", "visits"}
        there = {str(row[0]) for n in names for row in self.agency.ask(n, "SHOW TABLES")}
        return there <= own and self.agency.versions() == {"a002", None}


@pytest.fixture
def gated(fleet: Fleets, ebhook: Ebhook, tmp_path: Path) -> Gated:
    project = tmp_path / "project"
    shutil.copytree(PROJECTS / "linear", project, ignore=shutil.ignore_patterns("a00[3-9]*"))
    return Gated(Agency(fleet(3), ebhook, project))


def test_what_breaks_a_rule_is_refused_at_every_entrance(gated: Gated) -> None:
    """boot, upgrade and the dry run end with 65, show the finding, the corrected code and the next
    command, and touch no tenant; doctor says the same."""
    gated.revision("b003", DROP, BACK)

    for command in (("boot",), ("upgrade",), ("upgrade", "--dry-run")):
        ran = gated.run(*command)
        assert ran.code == 65, ran.stderr
        assert f"-     {DROP}" in ran.stderr
        for words in ("EBH002", "No tenant was touched.", "Then look: ebhook lint b003"):
            assert words in ran.stderr
    doctor = gated.run("doctor", "--json")

    assert gated.untouched
    assert doctor.code == 1
    (found,) = (one for one in doctor.json()["findings"] if one["check"] == "rules")
    assert (found["subject"], found["level"]) == ("b003", "fail")
    assert "EBH002" in found["text"]


def test_warn_says_it_and_goes_on_and_off_does_not_look(gated: Gated) -> None:
    """boot.rules = "warn" and "off"."""
    gated.revision("b003", DROP, BACK)

    warned = gated.run("upgrade", gated.agency.names[0], rules="warn")
    unsaid = gated.run("boot", rules="off")

    assert warned.code == unsaid.code == 0, warned.stderr + unsaid.stderr
    assert "EBH002" in warned.stderr
    assert "EBH" not in unsaid.stderr
    assert gated.agency.versions() == {"b003"}


def test_what_is_allowed_or_older_than_the_rules_passes(gated: Gated) -> None:
    """An allow comment with its reason counts, and so does lint.after; one without a reason does not."""
    gated.revision("b003", f"{DROP}  # ebhook: allow EBH002 -- never read since JMS-4", BACK)
    gated.revision("b004", f"{BACK}\n    {DROP}  # ebhook: allow EBH002", "pass", parent="b003")

    refused = gated.run("boot")
    older = gated.run("boot", "--json", lint_after="b004")

    assert (refused.code, older.code) == (65, 0), older.stderr
    assert "b004: rules that protect" in refused.stderr


def test_an_empty_tenant_is_not_held_up_by_old_history(gated: Gated) -> None:
    """It has nothing to lose; and a merge of what is fine is fine."""
    empty = gated.agency.names[2]
    gated.revision("b003", DROP, BACK)
    gated.revision("c003", 'op.add_column("clients", sa.Column("tier", sa.Integer()))')
    merge = gated.revision("d004", "pass", parent="b003")
    merge.write_text(merge.read_text().replace('= "b003"', '= ("b003", "c003")'))

    ran = gated.run("upgrade", empty)

    assert ran.code == 0, ran.stderr
    assert gated.agency.version(empty) == "d004"


def test_a_gate_that_cannot_judge_says_so_and_follows_the_setting(gated: Gated) -> None:
    """A version file that ends the process that judges it: refused, or said and applied."""
    body = 'op.execute("DO 1")\n    if "lint" in __name__:\n        import os; os._exit(3)'
    gated.revision("b003", body)

    refused = gated.run("boot")
    warned = gated.run("boot", rules="warn")

    assert refused.code == 65
    assert "could not be held against the rules" in refused.stderr
    assert warned.code == 0, warned.stderr
    assert "could not be held against the rules" in warned.stderr
