"""``heads``, ``history`` and ``chain``: the chain, as its users know it from Flask-Migrate, and drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ebhook.authoring.graph import dot, mermaid
from ebhook.authoring.summary import Overview, in_any_order, overview
from ebhook.chain import checksums
from ebhook.chain.folder import check_chain, read_chain, read_revisions
from ebhook.chain.graph import heads_of, in_order
from ebhook.commands.context import Options, finish, load_settings
from ebhook.errors import ChainBroken, EbhookError, Exit
from ebhook.lint.checking import check
from ebhook.next_command import ebhook, then
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import table
from ebhook.settings import Settings


def heads(options: Options) -> Exit:
    """The revisions that nothing builds on; a healthy chain has one. Shows two heads, too."""
    settings = load_settings(options)
    revisions = in_order(read_revisions(settings.folder, env_py=settings.env_py))
    found = [revisions[id] for id in heads_of(revisions)]
    if len(found) < 2:
        read_chain(settings.folder, env_py=settings.env_py)  # complains of all else
    text = "\n".join(f"{revision.id} (head) {revision.message}" for revision in found)
    finish(options, {"heads": [revision.id for revision in found]}, text)
    return Exit.OK if len(found) <= 1 else Exit.CHAIN


def history(options: Options) -> Exit:
    """All revisions of the chain, the newest first."""
    settings = load_settings(options)
    chain = read_chain(settings.folder, env_py=settings.env_py)
    newest_first = list(chain.revisions.values())[::-1]
    documents = [
        {
            "revision": revision.id,
            "parents": list(revision.parents),
            "message": revision.message,
            "date": revision.date,
            "file": revision.path.name,
        }
        for revision in newest_first
    ]
    lines = []
    for revision in newest_first:
        before = ", ".join(revision.parents) or "<base>"
        mark = " (head)" if revision.id == chain.head else ""
        lines.append(f"{before} -> {revision.id}{mark}, {revision.message}")
    finish(options, {"head": chain.head, "revisions": documents}, "\n".join(lines))
    return Exit.OK


def chain(options: Options, *, graph: Literal["mermaid", "dot"] | None, write: bool) -> Exit:
    """What each revision does and what is wrong with it; or a drawing; or chain.sum, written anew."""
    settings = load_settings(options)
    if write:
        return _write(options, settings)
    found = _look(settings)
    if graph is not None:
        drawing = mermaid(found) if graph == "mermaid" else dot(found)
        finish(options, {"format": graph, "graph": drawing}, drawing)
    else:
        finish(options, _document(found, options.commands), _text(found, options.commands))
    if found.broken:
        return Exit.CHAIN
    return Exit.FINDINGS if any(one.problems for one in found.revisions) else Exit.OK


def _write(options: Options, settings: Settings) -> Exit:
    checked = check_chain(read_revisions(settings.folder, env_py=settings.env_py))
    written = checksums.write(settings.folder, checked.revisions.values())
    path = settings.folder / checksums.FILE_NAME
    said = "written" if written else "was right already"
    document = {"head": checked.head, "file": str(path), "written": written}
    finish(options, document, f"{path}: {said}, head {checked.head}")
    return Exit.OK


def _look(settings: Settings) -> Overview:
    revisions = in_any_order(read_revisions(settings.folder, env_py=settings.env_py))
    findings = _findings(settings)
    try:
        listed = checksums.read(settings.folder)
    except ChainBroken as problem:
        found = overview(revisions, settings, findings=findings)
        return replace(
            found,
            problems=(*found.problems, problem.what),
            next=found.next or problem.next,
            broken=True,
        )
    differences = () if listed is None else checksums.compare(settings.folder, listed, revisions)
    return overview(revisions, settings, differences, findings)


def _findings(settings: Settings) -> dict[str, list[str]]:
    """What lint has to say, as ids of rules by revision."""
    try:
        report = check(settings)
    except EbhookError:  # a chain that it cannot judge can be looked at
        return {}
    found: dict[str, list[str]] = {}
    for one in report.findings:
        if one.revision is not None and not one.rule.breaks_chain:
            rules = found.setdefault(one.revision, [])
            if one.rule.id not in rules:
                rules.append(one.rule.id)
    return found


def _text(found: Overview, commands: NextCommands) -> str:
    lines = [
        (
            one.revision.id,
            one.ticket or "-",
            one.day or "-",
            "; ".join(one.does) or one.title,
            "; ".join(
                [*(f"! {mark}" for mark in (*one.problems, *one.findings)), *["head"] * one.is_head]
            ),
        )
        for one in found.revisions
    ]
    parts = [table(("revision", "ticket", "date", "what it does", ""), lines)] if lines else []
    parts.extend(found.problems)
    if found.next:
        parts.append(commands.text(found.next))
    if any(one.findings for one in found.revisions):
        parts.append(commands.text(then("What the rules say in full: ", ebhook("lint"))))
    return "\n\n".join(parts) or "No revision yet."


def _document(found: Overview, commands: NextCommands) -> dict[str, object]:
    return {
        "heads": list(found.heads),
        "problems": list(found.problems),
        "next": commands.plain(found.next) if found.next is not None else None,
        "revisions": [
            {
                "revision": one.revision.id,
                "parents": list(one.revision.parents),
                "ticket": one.ticket,
                "date": one.revision.date,
                "message": one.revision.message,
                "file": one.revision.path.name,
                "does": list(one.does),
                "problems": list(one.problems),
                "findings": list(one.findings),
                "head": one.is_head,
            }
            for one in found.revisions
        ],
    }
