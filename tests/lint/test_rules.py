"""Each rule finds what it is for, in the right line, and nothing else; and its correction helps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ebhook.lint.formats.corrected import corrected, source_of
from ebhook.lint.rules import by_id, rules
from ebhook.lint.source import try_source
from tests.support.lint_cases import Case, cases, described, found, judged

CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case(case: Case, tmp_path: Path) -> None:
    """Every marked line is found by the marked rule, and no other line by any; each finding shows
    corrected code, and with the edits made the rule no longer finds it."""
    source_of.cache_clear()
    settings = case.write(tmp_path)
    report = judged(settings)

    assert found(report) == case.expected, described(report.findings)
    assert case.wrong == bool(case.expected)
    assert not case.wrong or case.rule in {id for _, _, id in case.expected}

    for finding in report.findings:
        assert corrected(finding), finding.message
        if not finding.edits or finding.rule.id != case.rule:
            continue
        before = finding.path.read_text()
        after = try_source(finding.path)[0].apply(finding.edits)
        ast.parse(after)
        finding.path.write_text(after)
        again = judged(settings)
        finding.path.write_text(before)
        was, now = (
            sum(one.rule.id == case.rule for one in each.findings) for each in (report, again)
        )
        assert now < was, f"{after}\n{described(again.findings)}"


def test_every_rule_has_cases_of_both_kinds() -> None:
    """A rule without a case that is wrong, or without one that is right, is not proven."""
    kinds = {(case.rule, case.wrong) for case in CASES}

    assert kinds == {(id, wrong) for id in by_id() for wrong in (True, False)}


def test_ids_are_unique() -> None:
    """Ids are for ever, and each is one rule's."""
    ids = [one.rule.id for one in rules()]

    assert len(set(ids)) == len(ids)
