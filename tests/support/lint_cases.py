"""The cases of tests/projects/lint, as projects that lint can judge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebhook.chain import checksums
from ebhook.chain.folder import read_revisions
from ebhook.chain.graph import in_order
from ebhook.lint.checking import Report, check
from ebhook.lint.finding import Finding
from ebhook.settings import LintSettings, Settings

FOLDER = Path(__file__).parents[1] / "projects" / "lint"

HEADER = '''\
"""JMS-2 a case

Revision ID: b002
Revises: a001

"""

import sqlalchemy as sa
from alembic import op

revision = "b002"
down_revision = "a001"

'''
MARK = re.compile(r"[ \t]*#!((?: EBH\d+)+)[ \t]*$")

# File, line and rule: how often.
Expected = Counter[tuple[str, int, str]]


@dataclass
class Case:
    """One case of one rule: its files, and what has to be found in them."""

    rule: str
    wrong: bool
    title: str
    files: dict[str, str] = field(default_factory=dict)
    were: dict[str, str] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    expected: Expected = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{self.rule}-{'wrong' if self.wrong else 'right'}: {self.title}"

    def write(self, root: Path) -> Settings:
        """Makes the project below `root`."""
        versions = root / "migrations" / "versions"
        versions.mkdir(parents=True)
        (versions / "a001_jms_1_base.py").write_text((FOLDER / "base.py").read_text("utf-8"))
        if self.were is not None:
            for name, text in self.were.items():
                (versions / name).write_text(text)
            folder = root / "migrations"
            checksums.write(folder, in_order(read_revisions(folder, env_py=False)).values())
        for name, text in self.files.items():
            path = versions / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        has_env = "../env.py" in self.files
        return Settings(
            root=root, env_py=has_env, lint=LintSettings(**{"after": "a001"} | self.settings)
        )


def cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("EBH*.txt")):
        for part in re.split(r"^--- ", path.read_text("utf-8"), flags=re.M)[1:]:
            heading, _, body = part.partition("\n")
            kind, _, title = heading.partition(": ")
            yield case(path.stem, kind == "wrong", title, body.rstrip("\n") + "\n")


def case(rule: str, wrong: bool, title: str, body: str) -> Case:
    made = Case(rule, wrong, title)
    if setting := re.match(r"%% (\w+) (.+)\n", body):
        made.settings[setting[1]] = setting[2]
        body = body[setting.end() :]
    parts = re.split(r"^>>> (?!>)(.*)\n", body, flags=re.M)
    if len(parts) == 1:
        _add(made, "b002_jms_2_a_case.py", HEADER + parts[0])
        return made
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        if heading.startswith("was "):
            made.were = made.were or {}
            if heading != "was nothing":
                made.were[heading.removeprefix("was ")] = text
        elif heading.startswith("expect "):
            name, line, id = re.split(r"[: ]", heading.removeprefix("expect "))
            made.expected[name, int(line), id] += 1
        else:
            _add(made, heading, text)
    return made


def _add(made: Case, name: str, text: str) -> None:
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if mark := MARK.search(line):
            for id in mark[1].split():
                made.expected[Path(name).name, number, id] += 1
            lines[number - 1] = line[: mark.start()]
    made.files[name] = "\n".join(lines)


def found(report: Report) -> Expected:
    return Counter((one.path.name, one.span.line, one.rule.id) for one in report.findings)


def judged(settings: Settings) -> Report:
    return check(settings)


def described(findings: tuple[Finding, ...]) -> str:
    return "\n".join(
        f"{one.path.name}:{one.span.line}:{one.span.column} {one.rule.id} {one.message}"
        for one in findings
    )
