"""A correction that is printed runs: each is made, and what comes out is run on the server, up and down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql

from ebhook.chain.folder import version_files
from ebhook.lint.finding import Finding
from ebhook.lint.recorded import in_order, record
from ebhook.lint.source import Edit, try_source
from ebhook.lint.subject import VersionFile
from ebhook.settings import Settings
from tests.conftest import AnyServer, Fleets
from tests.support.lint_cases import Case, cases, judged

# A name in another database becomes one in the agency's, which has no such table here.
_NO_TABLE = 1146


def corrected(path: Path, findings: list[Finding]) -> str:
    """The file with all corrections of `findings` made; of two that overlap, the first."""
    made: list[Edit] = []
    for edit in (edit for finding in findings for edit in finding.edits):
        if edit not in made and not any(_overlap(edit, one) for one in made):
            made.append(edit)
    return try_source(path)[0].apply(made)


def _overlap(a: Edit, b: Edit) -> bool:
    def ends(one: Edit) -> tuple[tuple[int, int], tuple[int, int]]:
        span = one.span
        return (span.line, span.column), (span.end_line, span.end_column)

    (a_start, a_end), (b_start, b_end) = ends(a), ends(b)
    return a_start < b_end and b_start < a_end


def correct(case: Case, settings: Settings) -> bool:
    """Makes the corrections of a case's own rule; False when it has none."""
    found: dict[Path, list[Finding]] = {}
    for finding in judged(settings).findings:
        if finding.rule.id == case.rule and finding.edits:
            found.setdefault(finding.path, []).append(finding)
    for path, findings in found.items():
        path.write_text(corrected(path, findings))
    return bool(found)


def statements(settings: Settings) -> Iterator[str]:
    """What the chain sends, all the way up and back."""
    files = [VersionFile(*try_source(path)) for path in version_files(settings.folder)]
    ordered = list(in_order(files))
    subjects, _ = record(settings, ordered, {file.path for file in files})
    for subject in subjects:
        yield from (step.sql for step in subject.upgrade.steps)
    for subject in reversed(subjects):
        yield from (step.sql for step in subject.downgrade.steps)


def refused(cursor: Any, settings: Settings) -> str | None:
    """The first statement that the server refuses, with what it says."""
    for sql in statements(settings):
        try:
            cursor.execute(sql)
        except pymysql.MySQLError as error:
            if error.args[0] != _NO_TABLE:
                return f"{error.args}: {' '.join(sql.split())[:120]}"
            return None
    return None


def test_what_is_corrected_runs(server: AnyServer, fleet: Fleets, tmp_path: Path) -> None:
    """Every case of lint's with a correction, made, is taken by the server in both directions."""
    tried, wrong = 0, []
    (name,) = fleet(1).names
    with server.connect() as connection, connection.cursor() as cursor:
        for number, case in enumerate(cases()):
            of_mariadb = str(case.settings.get("server", "mysql")).startswith("mariadb")
            broken_chain = case.rule.startswith(("EBH02", "EBH03"))
            if not case.wrong or broken_chain or of_mariadb != (str(server.flavour) == "mariadb"):
                continue
            settings = case.write(tmp_path / str(number))
            if not correct(case, settings):
                continue
            tried += 1
            cursor.execute(f"DROP DATABASE `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
            cursor.execute(f"USE `{name}`")
            if (told := refused(cursor, settings)) is not None:
                wrong.append(f"{case}: {told}")

    assert not wrong, "\n".join(wrong)
    assert tried >= (3 if str(server.flavour) == "mariadb" else 60)
