"""EBH025: a version file that Python or Alembic cannot read."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import WholeChain

RULE = Rule("EBH025", "a version file cannot be read", breaks_chain=True)


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    for file in whole.files:
        if file.error is not None:
            line = file.error.lineno or 1
            yield file.finding(
                RULE,
                file.source.line_span(line),
                f"Python cannot read this file: {file.error.msg}. One such file is enough: Alembic "
                "imports them all, and no instance of this bundle boots.",
                example="# <<<<<<< and >>>>>>> are a merge's; take the lines of one side"
                if file.source.text.find("<<<<<<<") >= 0
                else f"# mend line {line}",
            )
        elif file.id is None:
            node = file.source.assignment("revision")
            says = "says no plain text for revision" if node else "has no revision = …"
            yield file.finding(
                RULE,
                file.place(),
                f"This file {says} at its top, so Alembic refuses the whole folder, and no instance "
                "of this bundle boots. If it is no revision, it does not belong here.",
                example='revision = "…"\ndown_revision = "…"\nbranch_labels = None\ndepends_on = None',
            )
        elif file.source.assignment("down_revision") is not None and not file.parents:
            node = file.source.assignment("down_revision")
            if (
                node is not None
                and node.value is not None
                and file.source.code(node.value) != "None"
            ):
                yield file.finding(
                    RULE,
                    file.place("down_revision"),
                    "down_revision is no plain text, so what this builds on can only be known by "
                    "running the file. Write the id itself.",
                    example='down_revision = "…"',
                )
