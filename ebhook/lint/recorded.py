"""The chain's revisions, run in order on a pretended server: what each did, for the rules to judge."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ebhook.chain.folder import ini_file
from ebhook.lint.sandbox.plain import not_plain
from ebhook.lint.sandbox.recording import Failure, RecordedRun, SandboxRecorder
from ebhook.lint.sandbox.tape import Event
from ebhook.lint.schema.schema import Column, Schema, Table, Type
from ebhook.lint.servers import parse
from ebhook.lint.source import Source
from ebhook.lint.subject import Subject, VersionFile
from ebhook.settings import Settings


def in_order(files: Iterable[VersionFile]) -> Iterator[VersionFile]:
    """Parents before children as far as there is an order; then what is left of circles."""
    left = {file.path: file for file in files}
    ids = {file.id for file in left.values() if file.id}
    done: set[str] = set()
    while left:
        ready = [
            file
            for file in left.values()
            if all(parent in done or parent not in ids for parent in file.after)
        ] or list(left.values())[:1]
        for file in ready:
            del left[file.path]
            if file.id:
                done.add(file.id)
            yield file


def record(
    settings: Settings,
    ordered: list[VersionFile],
    judged: Collection[Path],
    *,
    run: bool = True,
) -> tuple[list[Subject], tuple[str, ...]]:
    """Runs the revisions up to the last one that is to be judged, each on what those before made.

    Args:
        ordered: version files, parents before children.
        judged: those to be judged; the others are run for what they make.
        run: whether version files that are more than a list of operations are run, too.

    Returns:
        the judged revisions, and the modules that could not be imported.
    """
    last = max((place for place, file in enumerate(ordered) if file.path in judged), default=-1)
    if last < 0:
        return [], ()
    folder, server = settings.folder, parse(settings.lint.server)
    recorder = SandboxRecorder(
        folder, ini_file(folder), settings.root, server, seconds=settings.lint.timeout
    )
    subjects = []
    own = _version_table(settings.version_table)
    schema = Schema({own.name: own}, inline_keys=server.inline_keys)
    for file in ordered[: last + 1]:
        if file.error is not None or file.id is None:
            continue
        before = schema
        absent = set(recorder.absent)
        more = None if run or file.source.tree is None else not_plain(file.source.tree)
        if more is not None:
            loading, upgrade, downgrade = None, *_not_run(file.source, more, before)
        else:
            loading, upgrade, downgrade = _run(recorder, file, before, file.path in judged)
        schema = upgrade.after
        if loading is not None or not _is_known(upgrade):
            schema = _uncertain(schema)
        if file.path in judged:
            missing = {one for one in recorder.absent if _imports(file.source, one)} | (
                recorder.absent - absent
            )
            subjects.append(
                Subject(
                    file,
                    before,
                    upgrade,
                    downgrade,
                    server,
                    settings.root,
                    folder,
                    settings.chain.ticket,
                    loading,
                    frozenset(missing),
                )
            )
    return subjects, tuple(sorted(recorder.absent))


def _run(
    recorder: SandboxRecorder, file: VersionFile, before: Schema, judged: bool
) -> tuple[Failure | None, RecordedRun, RecordedRun]:
    module = recorder.load(file.source)
    if isinstance(module, Failure):
        return module, RecordedRun(after=before), RecordedRun(after=before)
    upgrade = recorder.record(file.source, module, "upgrade", before)
    if not judged:
        return None, upgrade, RecordedRun(after=before)
    after = upgrade.after if _is_known(upgrade) else _uncertain(upgrade.after)
    return None, upgrade, recorder.record(file.source, module, "downgrade", after)


def _not_run(source: Source, more: ast.AST, before: Schema) -> tuple[RecordedRun, RecordedRun]:
    event = Event("unrun", source.code(more).partition("\n")[0][:60], (source.span(more),))
    return RecordedRun(events=(event,), after=before), RecordedRun(after=before)


def _is_known(run: RecordedRun) -> bool:
    """Is what the schema is after it known? To ask for rows is no doubt of that."""
    doubts = {"asked", "outside", "absent", "hidden", "unrun"}
    return run.failure is None and not (
        any(event.kind in doubts for event in run.events)
        or any(step.unreadable for step in run.steps)
    )


def _uncertain(schema: Schema) -> Schema:
    """The schema, of which nothing is said to be all that there is."""
    tables = {name: replace(table, whole=False) for name, table in schema.tables.items()}
    return replace(schema, tables=tables)


def _version_table(name: str) -> Table:
    """Alembic's own table, which is there before the first revision runs."""
    column = Column("version_num", Type("varchar", ("32",)), nullable=False)
    return Table(name, (column,), primary=("version_num",))


def _imports(source: Source, module: str) -> bool:
    return any(
        meant == module or meant.startswith(f"{module}.") for meant in source.imports.values()
    )
