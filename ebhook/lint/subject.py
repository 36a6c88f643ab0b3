"""What rules look at: one revision with all that it does, and the chain that it stands in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ebhook.chain import version_file
from ebhook.lint.changes.change import Change, OfTable
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.changes.things import CreateThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.sandbox.recording import Failure, RecordedRun
from ebhook.lint.sandbox.tape import Step
from ebhook.lint.schema.schema import Schema
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Edit, Source, Span

C = TypeVar("C", bound=Change)


@dataclass(frozen=True, eq=False)
class VersionFile:
    """A version file, as it is read without running it."""

    source: Source
    error: SyntaxError | None = None

    @property
    def path(self) -> Path:
        return self.source.path

    @cached_property
    def id(self) -> str | None:
        found = self.source.value("revision")
        return found if isinstance(found, str) and found else None

    @cached_property
    def parents(self) -> tuple[str, ...]:
        return version_file.ids(self.source.value("down_revision"))

    @cached_property
    def after(self) -> tuple[str, ...]:
        """What has to be there before it: its parents, and depends_on."""
        return (*self.parents, *version_file.ids(self.source.value("depends_on")))

    @cached_property
    def doc(self) -> str:
        return version_file.docstring(self.source.tree)

    @property
    def message(self) -> str:
        return version_file.message(self.doc)

    def place(self, name: str = "revision") -> Span:
        """Where the file assigns `name`; its first line when it does not."""
        node = self.source.assignment(name)
        return self.source.span(node) if node is not None else self.source.line_span(1)

    @cached_property
    def doc_span(self) -> Span:
        """The first line of the docstring, where the message is."""
        tree = self.source.tree
        if tree is not None and tree.body and ast.get_docstring(tree) is not None:
            span = self.source.span(tree.body[0])
            line = self.source.line_span(span.line)
            return Span(span.line, span.column, span.line, line.end_column)
        return self.source.line_span(1)

    def finding(self, rule: Rule, span: Span, message: str, **more: Any) -> Finding:
        return Finding(rule, self.path, span, message, revision=self.id, **more)


@dataclass(frozen=True, eq=False)
class Done:
    """A change that really happened: by which statement, and what stood before it."""

    change: Any
    step: Step
    before: Schema

    @property
    def span(self) -> Span | None:
        return self.step.spans[0] if self.step.spans else None


@dataclass(frozen=True, eq=False)
class Subject:
    """One revision. `loading` is why its file could not be run at all."""

    file: VersionFile
    before: Schema
    upgrade: RecordedRun
    downgrade: RecordedRun
    server: ServerVersion
    root: Path
    folder: Path
    ticket: str
    loading: Failure | None = None
    absent: frozenset[str] = frozenset()

    @property
    def source(self) -> Source:
        return self.file.source

    @property
    def is_merge(self) -> bool:
        return len(self.file.parents) > 1

    @cached_property
    def done(self) -> tuple[Done, ...]:
        """Every change of upgrade(), in order."""
        return tuple(_done(self.upgrade))

    @cached_property
    def undone(self) -> tuple[Done, ...]:
        """Every change of downgrade(), in order."""
        return tuple(_done(self.downgrade))

    @cached_property
    def all_done(self) -> tuple[Done, ...]:
        """Every change of both functions."""
        return (*self.done, *self.undone)

    def changes(self, *kinds: type[Change]) -> Iterator[Done]:
        """What upgrade() does of these kinds to what was there before it."""
        return (
            one
            for one in self.done
            if isinstance(one.change, kinds)
            and not (isinstance(one.change, OfTable) and one.change.table in self.made)
        )

    @cached_property
    def made(self) -> frozenset[str]:
        """The tables that upgrade() makes: nobody else has used them yet."""
        return frozenset(
            one.change.table
            for one in self.done
            if isinstance(one.change, CreateTable)
            # Made anew, under the name of one that it drops or renames, is not new to old instances.
            and one.before.table(one.change.table) is None
            and self.before.table(one.change.table) is None
        )

    @cached_property
    def things(self) -> frozenset[tuple[str, str]]:
        """The views, routines and so on that upgrade() makes."""
        return frozenset(
            (one.change.kind, one.change.name)
            for one in self.done
            if isinstance(one.change, CreateThing)
            and (one.change.kind, one.change.name) not in self.before.things
        )

    @property
    def home(self) -> Span:
        """Where upgrade() begins."""
        return self.function_span("upgrade")

    def function_span(self, name: str) -> Span:
        node = self.source.function(name)
        if node is None:
            return self.file.place()
        return self.source.line_span(node.lineno)

    def finding(
        self,
        rule: Rule,
        at: Done | Step | Span,
        message: str,
        *,
        edits: Iterable[Edit] = (),
        example: str = "",
    ) -> Finding:
        """A finding at a statement's innermost call, or at a place."""
        step = at.step if isinstance(at, Done) else at
        if isinstance(step, Span):
            return self.file.finding(rule, step, message, edits=tuple(edits), example=example)
        spans = step.spans or (self.home,)
        return self.file.finding(
            rule,
            spans[0],
            message,
            edits=tuple(edits),
            example=example,
            sql=step.sql,
            also=spans[1:],
        )


@dataclass(frozen=True, eq=False)
class WholeChain:
    """The chain. `files` are all version files; `judged`, those that are to be judged."""

    folder: Path
    files: tuple[VersionFile, ...]
    judged: frozenset[Path]
    edited: Mapping[str, str] = field(default_factory=dict)  # revision id: who says so
    env_py: Source | None = None
    complaint: str = ""  # what is wrong with chain.sum

    @cached_property
    def by_id(self) -> dict[str, VersionFile]:
        """The first file of each id."""
        found: dict[str, VersionFile] = {}
        for file in self.files:
            if file.id is not None:
                found.setdefault(file.id, file)
        return found


def _done(run: RecordedRun) -> Iterator[Done]:
    for step in run.steps:
        schema = step.before
        for change in step.changes:
            yield Done(change, step, schema)
            schema = change.apply(schema)
