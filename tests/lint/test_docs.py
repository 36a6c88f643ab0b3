"""docs/rules.md and the rules say the same, and its examples are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ebhook.lint.rules import by_id
from tests.support.lint_cases import HEADER, case, described, judged

TEXT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
SECTIONS = {
    found[1]: (found[2], found[3])
    for found in re.finditer(r"^#### (EBH\d+): (.+?)\n(.*?)(?=^####? |\Z)", TEXT, flags=re.M | re.S)
}


def example(id: str, kind: str) -> str:
    found = re.search(rf"^{kind}:\n\n```python\n(.*?)```", SECTIONS[id][1], flags=re.M | re.S)
    assert found, f"{id} has no example that is {kind}"
    return found[1]


def test_every_rule_is_in_the_docs_and_every_documented_rule_exists() -> None:
    """By id and by title, in order."""
    documented = {id: title for id, (title, _) in SECTIONS.items()}

    assert documented == {id: rule.title for id, rule in by_id().items()}
    assert list(documented) == sorted(documented)


def test_every_section_says_why() -> None:
    """Between the heading and the wrong example stands what breaks, for whom."""
    for id, (_, body) in SECTIONS.items():
        why = body.partition("Wrong:")[0].strip()
        assert len(why) > 20, id


@pytest.mark.parametrize("id", SECTIONS)
def test_the_examples_are_wrong_and_right(id: str, tmp_path: Path) -> None:
    """The wrong one is found by its rule; in the right one there is nothing to find."""
    wrong, right = example(id, "Wrong"), example(id, "Right")
    if "def upgrade" not in wrong:
        return  # of the chain, of names or of env.py: the cases have them whole
    reports = [
        judged(case(id, kind == "wrong", "docs", code).write(tmp_path / kind))
        for kind, code in (("wrong", wrong), ("right", right))
    ]

    assert id in {one.rule.id for one in reports[0].findings}, described(reports[0].findings)
    assert not reports[1].findings, described(reports[1].findings)


def test_the_exit_code_65_is_documented_for_the_rules_that_have_it() -> None:
    """The rules that break the chain, and no other."""
    breaking = {id for id, rule in by_id().items() if rule.breaks_chain}
    line = next(line for line in TEXT.splitlines() if line.startswith("| 65 |"))
    first, last, *others = re.findall(r"EBH\d+", line)

    assert breaking == {id for id in by_id() if first <= id <= last} | set(others)


def test_the_header_of_the_cases_is_a_version_file() -> None:
    """What the examples are put below."""
    assert 'down_revision = "a001"' in HEADER
