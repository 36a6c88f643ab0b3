"""``heads`` and ``history``: the chain, as its users know it from Flask-Migrate."""

from __future__ import annotations

from ebhook.chain import read_chain, read_revisions
from ebhook.commands.gather import Options, load_settings
from ebhook.errors import Exit
from ebhook.report import print_json


def heads(options: Options) -> Exit:
    """The revisions that nothing builds on; a healthy chain has one. Shows two heads, too."""
    settings = load_settings(options)
    revisions = read_revisions(settings.folder, env_py=settings.env_py)
    parents = {parent for revision in revisions.values() for parent in revision.parents}
    found = [revision for id, revision in revisions.items() if id not in parents]
    if len(found) < 2:
        read_chain(settings.folder, env_py=settings.env_py)  # complains of all else
    if options.json:
        print_json({"heads": [revision.id for revision in found]})
    else:
        for revision in found:
            print(f"{revision.id} (head) {revision.message}")
    return Exit.OK if len(found) <= 1 else Exit.CHAIN


def history(options: Options) -> Exit:
    """All revisions of the chain, the newest first."""
    settings = load_settings(options)
    chain = read_chain(settings.folder, env_py=settings.env_py)
    newest_first = list(chain.revisions.values())[::-1]
    if options.json:
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
        print_json({"head": chain.head, "revisions": documents})
        return Exit.OK
    for revision in newest_first:
        before = ", ".join(revision.parents) or "<base>"
        mark = " (head)" if revision.id == chain.head else ""
        print(f"{before} -> {revision.id}{mark}, {revision.message}")
    return Exit.OK
