"""The chain's revisions, run in order on a pretended server: what each did, for the rules to judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ebhook.chain.folder import ini_file
from ebhook.lint.sandbox.recording import Failure, RecordedRun, SandboxRecorder
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
) -> tuple[list[Subject], tuple[str, ...]]:
    """Runs the revisions up to the last one that is to be judged, each on what those before made.

    Args:
        ordered: version files, parents before children.
        judged: those to be judged; the others are run for what they make.

    Returns:
        the judged revisions, and the modules that could not be imported.
    """
    last = max((place for place, file in enumerate(ordered) if file.path in judged), default=-1)
    if last < 0:
        return [], ()
    folder, server = settings.folder, parse(settings.lint.server)
    recorder = SandboxRecorder(folder, ini_file(folder), settings.root, server)
    subjects = []
    own = _version_table(settings.version_table)
    schema = Schema({own.name: own}, inline_keys=server.inline_keys)
    for file in ordered[: last + 1]:
        if file.error is not None or file.id is None:
            continue
        before = schema
        absent = set(recorder.absent)
        module = recorder.load(file.source)
        loading = module if isinstance(module, Failure) else None
        upgrade = downgrade = RecordedRun(after=before)
        if not isinstance(module, Failure):
            upgrade = recorder.record(file.source, module, "upgrade", before)
            if file.path in judged:
                downgrade = recorder.record(file.source, module, "downgrade", upgrade.after)
        schema = upgrade.after
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


def _version_table(name: str) -> Table:
    """Alembic's own table, which is there before the first revision runs."""
    column = Column("version_num", Type("varchar", ("32",)), nullable=False)
    return Table(name, (column,), primary=("version_num",))


def _imports(source: Source, module: str) -> bool:
    return any(
        meant == module or meant.startswith(f"{module}.") for meant in source.imports.values()
    )
