"""``merge``: two heads become one, by a revision that does nothing else."""

from __future__ import annotations

from ebhook.authoring.generate import write_merge
from ebhook.authoring.ticket import check_message
from ebhook.chain import checksums
from ebhook.chain.folder import check_chain, read_revisions
from ebhook.chain.graph import heads_of, in_order
from ebhook.commands.context import Options, finish, load_settings
from ebhook.errors import Exit, UsageFailed
from ebhook.next_command import ebhook, then


def merge(options: Options, *, message: str) -> Exit:
    """Writes the merge revision, and chain.sum."""
    settings = load_settings(options)
    text = check_message(message, settings)
    ordered = in_order(read_revisions(settings.folder, env_py=settings.env_py))
    heads = heads_of(ordered)
    if len(heads) < 2:
        raise UsageFailed(
            f"The chain has one head, {heads[0]}." if heads else "The chain has no revision yet.",
            "There is nothing to merge; nothing was written.",
            then("See: ", ebhook("chain")),
        )
    path = write_merge(settings, text, heads)
    chain = check_chain(read_revisions(settings.folder, env_py=settings.env_py))
    checksums.write(settings.folder, chain.revisions.values())
    document = {"head": chain.head, "file": str(path), "merged": list(heads)}
    text = f"{path}\nmerges {' and '.join(heads)}; the head is now {chain.head}"
    finish(options, document, text)
    return Exit.OK
