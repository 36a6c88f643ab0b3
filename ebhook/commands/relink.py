"""``relink``: the newer of two branches goes on top of the other."""

from __future__ import annotations

from ebhook.authoring.relink import choose
from ebhook.authoring.relink import relink as rewrite
from ebhook.chain import checksums
from ebhook.chain.folder import check_chain, read_revisions
from ebhook.chain.graph import Chain, heads_of, in_order
from ebhook.commands.context import Options, finish, load_settings, reporter
from ebhook.errors import Exit, JournalForeign, PersonNeeded, Refused, TryAgain
from ebhook.fleet.discovery import discover
from ebhook.fleet.standing import Standing
from ebhook.fleet.survey import survey
from ebhook.fleet.tenant_database import open_tenant
from ebhook.next_command import ebhook, then
from ebhook.report.lines import count
from ebhook.report.reporter import Reporter
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def relink(options: Options, *, revision: str, onto: str | None) -> Exit:
    """Edits the file's parent, unless the revision is applied somewhere; writes chain.sum."""
    settings = load_settings(options)
    revisions = read_revisions(settings.folder, env_py=settings.env_py)
    moved, parent = choose(revisions, revision, onto)
    with reporter(options) as report:
        _refuse_if_applied(moved.id, Chain(in_order(revisions)), settings, report)
    rewrite(moved.path, parent.id)
    after = in_order(read_revisions(settings.folder, env_py=settings.env_py))
    heads = heads_of(after)
    if len(heads) == 1:
        checksums.write(settings.folder, check_chain(after).revisions.values())
    document = {
        "revision": moved.id,
        "file": str(moved.path),
        "from": list(moved.parents),
        "onto": parent.id,
        "heads": list(heads),
    }
    see = options.commands.text(then(ebhook("chain", words=["--graph"])))
    now = (
        f"the head is {heads[0]}"
        if len(heads) == 1
        else f"there are still {len(heads)} heads: {', '.join(heads)}; see: {see}"
    )
    text = f"{moved.path}\n{moved.id} builds on {parent.id} now ({parent.message})\n{now}"
    finish(options, document, text)
    return Exit.OK


def _refuse_if_applied(id: str, chain: Chain, settings: Settings, report: Reporter) -> None:
    """Asks every tenant that can be reached; raises when one has the revision, or a part of it.

    A database that has it would get the other branch's revisions after it, so its order would
    differ from the chain's, and a database between the two would never get them at all.
    """
    tenants: list[Tenant] = []
    if _has_tenants(settings):
        try:
            tenants = discover(settings)
        except (TryAgain, Refused) as error:
            report.say(f"Whether it is applied somewhere could not be asked: {error.what}")
            return
    report.knows(tenants)
    if not tenants:
        report.say("No tenants are set here: whether it is applied somewhere could not be asked.")
        return
    standings = survey(tenants, chain, settings)
    applied = [one.tenant.name for one in standings if _has(one, id, chain, settings)]
    if applied:
        some = ", ".join(applied[:5]) + (" …" if len(applied) > 5 else "")
        raise PersonNeeded(
            f"{id} is applied in {count(len(applied), 'tenant')}: {some}.",
            "Its parent was not changed.",
            then(
                "Join the branches instead, which is right wherever it is applied: ",
                ebhook("merge", words=["-m", "JMS-1234 merge heads"]),
            ),
        )
    unseen = [one for one in standings if not one.is_read]
    if unseen:
        report.say(
            f"{count(len(unseen), 'tenant')} could not be asked whether it is applied there: "
            f"{unseen[0].error}"
        )


def _has_tenants(settings: Settings) -> bool:
    return any(key.startswith("tenants.") for key in settings.origins)


def _has(standing: Standing, id: str, chain: Chain, settings: Settings) -> bool:
    half = standing.half is not None and standing.half.revision == id
    if half or id in chain.lineage(standing.revisions):
        return True
    if chain.knows(standing.revisions):
        return False
    return id in _journalled(standing.tenant, settings)


def _journalled(tenant: Tenant, settings: Settings) -> set[str | None]:
    """What the journal of a database knows that stands where this chain knows nothing."""
    try:
        with open_tenant(tenant, settings) as database:
            entries = database.journal.entries()
            return {entry.revision for entry in entries if entry.kind == "upgrade"}
    except JournalForeign:
        return set()
