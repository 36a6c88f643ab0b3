"""What the last gate judges: pending revisions alone, on what the older ones have made."""

from __future__ import annotations

from pathlib import Path

from ebhook.chain.folder import read_chain
from ebhook.chain.graph import Chain
from ebhook.errors import Unreachable
from ebhook.fleet.last_gate import gate_for, pending
from ebhook.fleet.standing import Standing, State, UnfinishedRevision
from ebhook.lint.finding import Finding
from ebhook.lint.gate import Gate
from ebhook.lint.pending import judge_pending
from ebhook.settings import BootSettings, Settings
from ebhook.tenant import Tenant
from tests.support.lint_cases import FOLDER, HEADER


def project(root: Path, body: str) -> tuple[Settings, Chain]:
    """The base of lint's cases, with one revision upon it whose functions are `body`."""
    versions = root / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "a001_jms_1_base.py").write_text((FOLDER / "base.py").read_text("utf-8"))
    (versions / "b002_jms_2_x.py").write_text(HEADER + body)
    settings = Settings(root=root, env_py=False)
    return settings, read_chain(settings.folder, env_py=False)


def found(root: Path, body: str) -> list[str]:
    settings, chain = project(root, body)
    paths = {id: one.path for id, one in chain.revisions.items()}
    findings: tuple[Finding, ...] = judge_pending(settings, paths, {"b002"}).findings
    return [one.rule.id for one in findings]


def test_the_older_revisions_that_matter_are_known(tmp_path: Path) -> None:
    """A column that an older revision made: only its comment changes, and that is fine."""
    body = """
def upgrade():
    op.alter_column(
        "cases", "note", comment="free", existing_type=sa.Text(), existing_nullable=True
    )


def downgrade():
    pass
"""
    assert found(tmp_path, body) == []


def test_what_only_costs_or_only_looks_bad_holds_nobody_up(tmp_path: Path) -> None:
    """A data change without WHERE, a downgrade that is missing: lint's business, not the boot's."""
    assert found(tmp_path, "\ndef upgrade():\n    op.execute('UPDATE cases SET note = 1')\n") == []


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    """A revision that asks for rows is judged as far as it goes."""
    body = """
def upgrade():
    for row in op.get_bind().execute(sa.text("SELECT id FROM cases")):
        op.drop_table("cases")


def downgrade():
    pass
"""
    assert found(tmp_path, body) == ["EBH090"]


def standing(state: State, *at: str, **more: object) -> Standing:
    return Standing(Tenant("acme", None), state, at, **more)  # type: ignore[arg-type]


def test_which_revisions_are_pending(tmp_path: Path) -> None:
    """Those that a tenant with a schema lacks; not those of an empty one, or of one that is ahead."""
    settings, chain = project(tmp_path, "")
    error = Unreachable("no", "", "")
    half = UnfinishedRevision("downgrade", "b002", ("a001",), 1)

    def of(*standings: Standing) -> tuple[str, ...]:
        return pending(standings, chain, chain.head)

    assert of(standing(State.EMPTY), standing(State.AT_HEAD, "b002")) == ()
    assert of(standing(State.AHEAD, "c003")) == ()
    assert of(standing(State.UNREACHABLE, error=error)) == ()
    assert of(standing(State.BEHIND, "a001"), standing(State.EMPTY)) == ("b002",)
    assert of(standing(State.AT_HEAD, "b002", half=half)) == ("b002",)
    assert gate_for(settings, chain, [standing(State.AT_HEAD, "b002")], chain.head) is None
    off = Settings(root=tmp_path, boot=BootSettings(rules="off"))
    assert gate_for(off, chain, [standing(State.BEHIND, "a001")], chain.head) is None


def test_a_verdict_that_does_not_come_is_a_problem(tmp_path: Path) -> None:
    """Whoever waits is told after its time, and the process is gone."""
    settings, chain = project(tmp_path, "\nwhile True:\n    pass\n")

    with Gate(settings, chain, ["b002"]) as gate:
        verdict = gate.verdict(timeout=1.5)

    assert not verdict.passes
    assert verdict.problem == "lint did not end within 2 s"
