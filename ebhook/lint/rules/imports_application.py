"""EBH080: a version file imports the application."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Subject

RULE = Rule("EBH080", "a version file imports the application")


def check(subject: Subject) -> Iterator[Finding]:
    for node in subject.source.nodes:
        if isinstance(node, ast.Import):
            modules = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "" if not node.level else "." * node.level]
        else:
            continue
        for module in modules:
            if not _is_own(subject, module):
                continue
            models = "model" in subject.source.code(node)
            what = "models of today are not those" if models else "code of today is not that"
            yield subject.finding(
                RULE,
                subject.source.span(node),
                f"{module} is the application's own, and its {what} of a year from now: a column that is added to a model later is in this revision's SELECTs and "
                "INSERTs at once, and a new agency, which runs the whole chain, fails here. A "
                "renamed module breaks every boot. Say here what this revision needs.",
                example=_example(node),
            )


def _is_own(subject: Subject, module: str) -> bool:
    """Is it found in the project, and not among what is installed?"""
    if module.startswith("."):
        return True
    top = module.partition(".")[0]
    if top in ("alembic", "sqlalchemy"):
        return False
    return top == _package(subject.folder).name or any(
        (place / top).is_dir() or (place / f"{top}.py").is_file() for place in _places(subject)
    )


def _places(subject: Subject) -> Iterator[Path]:
    """Where the application's modules are: the root, src/, and above the package of migrations."""
    for place in (subject.root, subject.root / "src", subject.folder.parent):
        if "site-packages" not in place.parts:
            yield place
    package = _package(subject.folder)
    if package != subject.folder and "site-packages" not in package.parts:
        yield package.parent


def _package(folder: Path) -> Path:
    """The package that the folder of migrations is in; itself, when it is in none."""
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _example(node: ast.Import | ast.ImportFrom) -> str:
    names = [one.name for one in node.names if one.name[:1].isupper()]
    if not names:
        return "# the value or the few lines themselves, copied into this file"
    table = "".join(f"_{one.lower()}" if one.isupper() else one for one in names[0]).lower()
    return (
        f'{table} = sa.table("{table}", sa.column("id"), …)  # the columns that this revision needs'
    )
