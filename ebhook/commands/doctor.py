"""``doctor``: what would go wrong at the next boot."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

from ebhook.aws import beanstalk, deployed
from ebhook.chain.folder import read_chain
from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather_tenants, load_settings, reporter
from ebhook.doctor.cloud import examine_aws
from ebhook.doctor.finding import DoctorFinding, Level, failed, ok
from ebhook.doctor.here import examine_machine
from ebhook.doctor.servers import examine_servers
from ebhook.doctor.show import as_text
from ebhook.errors import EbhookError, Exit, UsageFailed
from ebhook.report.documents import print_json
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.notices import Ended, send
from ebhook.report.reporter import Reporter
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def doctor(options: Options, *, names: Sequence[str], sends: bool) -> Exit:
    """0 when a boot would find all that it needs, 1 when not."""
    told = beanstalk.properties(os.environ)
    findings: list[DoctorFinding] = []
    with reporter(options) as report:
        for finding in _examine(options, report, told, names, sends):
            findings.append(finding)
            report.log({"event": "DoctorFinding", **_document(finding, options.commands)})
    code = Exit.FINDINGS if any(f.level is Level.FAIL for f in findings) else Exit.OK
    if options.json:
        documents = [_document(finding, options.commands) for finding in findings]
        print_json(report.hidden({"findings": documents, "exit_code": int(code)}))
    else:
        report.print(as_text(findings, options.commands))
    return code


def _examine(
    options: Options,
    report: Reporter,
    told: beanstalk.Properties,
    names: Sequence[str],
    sends: bool,
) -> Iterator[DoctorFinding]:
    try:
        settings = load_settings(options)
    except EbhookError as error:
        yield failed("settings", "ebhook.toml and EBHOOK_…", error)
        return
    file = str(settings.file) if settings.file else f"no file, in {settings.root}"
    yield ok("settings", file, f"{count(len(settings.origins), 'key')} set")
    chain = None
    try:
        chain = read_chain(settings.folder, env_py=settings.env_py)
        revisions = count(len(chain.revisions), "revision")
        yield ok("chain", str(settings.folder), f"{revisions}, head {chain.head}")
    except EbhookError as error:
        yield failed("chain", str(settings.folder), error)
    log = options.log_file or (beanstalk.LOG if beanstalk.is_here() else None)
    yield from examine_machine(settings, told, log)
    tenants: list[Tenant] = []
    try:
        tenants = gather_tenants(settings, report, names)
    except UsageFailed:  # the doctor's own command line
        raise
    except EbhookError as error:
        yield failed("tenants", "which there are", error)
    trial = partial(_send, settings, chain, report) if sends else None
    yield from examine_aws(settings, tenants, trial)
    if tenants:
        yield from examine_servers(tenants, chain, settings, chosen=bool(names))


def _send(settings: Settings, chain: Chain | None, report: Reporter) -> list[str]:
    """A trial of the notices: what a boot would send, saying that nothing failed."""
    holder = deployed.identify("doctor", settings)
    head = chain.head if chain is not None else None
    ended = Ended(head, (), 0, 0.0, Exit.OK, False, holder, trial=True)
    return send(ended, settings, report.hidden)


def _document(finding: DoctorFinding, commands: NextCommands) -> dict[str, object]:
    return {
        "check": finding.check,
        "subject": finding.subject,
        "level": finding.level.value,
        "text": finding.text,
        "next": commands.plain(finding.next),
    }
