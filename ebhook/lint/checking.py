"""The whole of it: read the files, record what they do, ask every rule, mind what is allowed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ebhook.chain import checksums
from ebhook.chain.folder import version_files, version_folders
from ebhook.chain.revision import Revision, checksum_of, content_of
from ebhook.errors import ChainBroken, Exit, SettingsFailed, UsageFailed, worst
from ebhook.lint import allow
from ebhook.lint.finding import Finding
from ebhook.lint.recorded import in_order, record
from ebhook.lint.rules import by_id, rules
from ebhook.lint.selecting import switched_off
from ebhook.lint.since import branch_since
from ebhook.lint.source import Source, try_source
from ebhook.lint.subject import VersionFile, WholeChain
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings


@dataclass(frozen=True)
class Report:
    """`allowed` are findings that a comment allows. `absent`: modules that could not be imported."""

    findings: tuple[Finding, ...]
    allowed: tuple[Finding, ...]
    judged: int
    revisions: int
    seconds: float
    absent: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> Exit:
        return worst([finding.rule.exit_code for finding in self.findings])


def check(
    settings: Settings,
    *,
    since: str | None = None,
    only: Iterable[str] = (),
    applied: Mapping[str, str] | None = None,
    run: bool = True,
) -> Report:
    """Judges a project's chain.

    Args:
        since: a git ref: only revisions that it does not have are judged.
        only: ids (or their beginnings): only these are judged.
        run: whether version files that are more than a list of operations are run, too.
        applied: revisions that are known to be applied otherwise than they are, and where.

    Raises:
        ChainBroken: there is no chain to judge.
        UsageFailed: `since` or `only` cannot be found.
        SettingsFailed: ``lint.after``, ``lint.select`` or ``lint.ignore`` names what there is not.
    """
    began = time.monotonic()
    folder = settings.folder
    if not folder.is_dir():
        raise ChainBroken(
            f"{folder} is not a folder.",
            "Nothing was judged.",
            "Name the folder with env.py: migrations = … in ebhook.toml, or EBHOOK_MIGRATIONS",
        )
    ignored, chosen = switched_off(settings), list(only)
    files = [VersionFile(*try_source(path)) for path in version_files(folder)]
    ordered = list(in_order(files))
    judged, edited = _judged(settings, files, ordered, since, chosen)
    by_sum, complaint = _sum(folder, files)
    whole = WholeChain(
        folder,
        tuple(files),
        judged,
        {**by_sum, **edited, **(applied or {})},
        _env_py(settings) if since is None and not chosen else None,
        complaint,
    )
    findings = [
        finding
        for one in rules()
        if one.chain is not None
        for finding in one.chain(whole)
        if finding.rule.id not in ignored
    ]
    recorded, absent = record(settings, ordered, judged, run=run)
    for subject in recorded:
        findings.extend(
            finding
            for one in rules()
            if one.revision is not None
            for finding in one.revision(subject)
            if finding.rule.id not in ignored
        )
    sources = [file.source for file in files] + ([whole.env_py] if whole.env_py else [])
    said, allowed = _minding_allows(sources, findings, judged, ignored, files)
    order = {file.path: place for place, file in enumerate(ordered)}

    def place(finding: Finding) -> tuple[object, ...]:
        return (order.get(finding.path, -1), finding.span, finding.rule.id, finding.message)

    return Report(
        tuple(sorted(said, key=place)),
        tuple(sorted(allowed, key=place)),
        len(judged),
        len(files),
        time.monotonic() - began,
        absent,
    )


def _judged(
    settings: Settings,
    files: list[VersionFile],
    ordered: list[VersionFile],
    since: str | None,
    only: list[str],
) -> tuple[frozenset[Path], dict[str, str]]:
    """The files to be judged; and the revisions that a branch edits, with who says so."""
    chosen = {file.path for file in files} - _before_judging(settings, ordered)
    edited: dict[str, str] = {}
    if since is not None:
        branch = branch_since(since, files, version_folders(settings.folder))
        chosen &= branch.added
        for file in files:
            if file.path in branch.edited and file.id:
                edited[file.id] = f"{branch.ref} has it otherwise"
    if only:
        chosen &= {_find(text, files).path for text in only}
    return frozenset(chosen), edited


def _find(text: str, files: list[VersionFile]) -> VersionFile:
    found = [file for file in files if file.id == text or file.path.name == Path(text).name]
    found = found or [file for file in files if len(text) > 2 and (file.id or "").startswith(text)]
    if len(found) != 1:
        raise UsageFailed(
            f"The chain has {'several revisions' if found else 'no revision'} {text!r}.",
            "Nothing was judged.",
            then("See which there are: ", ebhook("history")),
        )
    return found[0]


def _before_judging(settings: Settings, ordered: list[VersionFile]) -> set[Path]:
    """The files up to ``lint.after``, itself included; none when it is not set."""
    id = settings.lint.after
    if id is None:
        return set()
    by_revision = {file.id: file for file in ordered if file.id}
    if id not in by_revision:
        raise unknown_after(id)
    seen: set[Path] = set()
    todo = [id]
    while todo:
        file = by_revision.get(todo.pop())
        if file is not None and file.path not in seen:
            seen.add(file.path)
            todo.extend(file.parents)
    return seen


def unknown_after(id: str) -> SettingsFailed:
    return SettingsFailed(
        f"lint.after: the chain has no revision {id!r}.",
        "Nothing was judged.",
        then("Name the last revision that is not to be judged, in full: ", ebhook("history")),
    )


def _env_py(settings: Settings) -> Source | None:
    path = settings.folder / "env.py"
    return try_source(path)[0] if settings.env_py and path.is_file() else None


def _sum(folder: Path, files: list[VersionFile]) -> tuple[dict[str, str], str]:
    """What chain.sum says against the files: the edited revisions, and what else there is."""
    complaint = ""
    found: dict[str, str] = {}
    try:
        listed = checksums.read(folder)
    except ChainBroken as error:
        listed, complaint = None, error.what
    if listed is not None:
        differences = checksums.compare(folder, listed, _revisions(files))
        for one in differences:
            if one.change is checksums.LineChange.EDITED:
                found[one.id] = "chain.sum has another checksum"
        wrong = [one for one in differences if one.change is not checksums.LineChange.EDITED]
        if wrong:
            complaint = checksums.stale(folder, wrong).what
    complaint = re.sub(r"\s*\n\s*", " ", complaint).strip()
    return found, complaint and f"{complaint.rstrip('.:')}."


def _revisions(files: list[VersionFile]) -> dict[str, Revision]:
    return {
        file.id: Revision(
            file.id, file.parents, "", None, file.path, checksum_of(content_of(file.path))
        )
        for file in files
        if file.id
    }


def _minding_allows(
    sources: list[Source],
    findings: list[Finding],
    judged: frozenset[Path],
    ignored: frozenset[str],
    files: list[VersionFile],
) -> tuple[list[Finding], list[Finding]]:
    """Findings that are left, and those that comments allow; with what is wrong about comments."""
    by_path: dict[Path, list[Finding]] = {}
    for finding in findings:
        by_path.setdefault(finding.path, []).append(finding)
    said: list[Finding] = []
    allowed: list[Finding] = []
    ids = {file.path: file.id for file in files}
    for source in sources:
        mine = by_path.pop(source.path, [])
        allows, wrong = allow.read(source, by_id())
        left, fine, unused = allow.sort_out(source, mine, allows)
        said.extend(left)
        allowed.extend(fine)
        if source.path not in judged and source.path in ids:
            continue
        revision = ids.get(source.path)
        for one in wrong:
            said.append(allow.malformed_finding(by_id()["EBH093"], source, one, revision))
        for idle in unused:
            if not set(idle.ids) & ignored:
                said.append(allow.unused_finding(by_id()["EBH094"], source, idle, revision))
    said = [one for one in said if one.rule.id not in ignored]
    said.extend(finding for rest in by_path.values() for finding in rest)
    return said, allowed
