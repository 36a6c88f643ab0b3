"""``doctor``: what would go wrong at the next boot."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from ebhook.aws import beanstalk, deployed
from ebhook.aws.bundle import FileState, bundle_files
from ebhook.aws.bundle_checks import warnings
from ebhook.chain.folder import read_chain
from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather_tenants, load_settings, reporter
from ebhook.concurrency import Budget, Interruption
from ebhook.database.url import Url, parse_url
from ebhook.doctor.cloud import examine_aws
from ebhook.doctor.finding import DoctorFinding, Level, fail, failed, ok, warn
from ebhook.doctor.here import examine_machine
from ebhook.doctor.servers import examine_servers
from ebhook.doctor.show import as_text
from ebhook.errors import EbhookError, Exit, UsageFailed
from ebhook.next_command import ebhook, then
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
    with unpacked(options) as meant, reporter(options) as report:
        for finding in _examine(meant, report, told, names, sends):
            findings.append(finding)
            report.log({"event": "Finding", **_document(finding, options.commands)})
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
    except UsageFailed:  # the doctor's own command line
        raise
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
    if options.archive is not None:
        yield from _bundle(settings)
        yield from _application(settings, chain, parse_url(NOWHERE), report)
        return
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
        yield from _application(settings, chain, tenants[0].url, report)
        yield from examine_servers(tenants, chain, settings, chosen=bool(names))


NOWHERE = "mysql+pymysql://doctor@localhost/doctor"  # env.py is given a URL, and no connection


def _application(
    settings: Settings, chain: Chain | None, url: Url, report: Reporter
) -> Iterator[DoctorFinding]:
    """env.py, and the application that it imports, loaded and rehearsed as a boot does it."""
    if chain is None:
        return
    from ebhook.rollout.worker_pool import WorkerPool

    budget = Budget(time.monotonic() + settings.rollout.deadline, grace=0.0)
    place = str(settings.folder / "env.py" if settings.env_py else settings.folder)
    try:
        with (
            Interruption() as interruption,
            WorkerPool(settings, chain, url, report.emit, budget, interruption),
        ):
            yield ok("application", place, "loaded and rehearsed as a boot does it")
    except EbhookError as error:
        yield failed("application", place, error)


def _bundle(settings: Settings) -> Iterator[DoctorFinding]:
    """The files of a bundle: the hooks, and what would keep them from working."""
    files = bundle_files(settings.root, cloudwatch=False)
    missing = [f.name for f in files if f.state is FileState.NEW and "hooks" in f.name]
    put = then("Put them there, and make the bundle anew: ", ebhook("init"))
    if missing:
        yield fail("bundle", ", ".join(missing), "not in the bundle: nothing runs ebhook", put)
    else:
        yield ok("bundle", "hooks", "in the bundle")
    for complaint in warnings(settings.root):
        name, _, text = complaint.partition(": ")
        yield warn("bundle", name, text, "Mend it, and make the bundle anew")


@contextmanager
def unpacked(options: Options) -> Iterator[Options]:
    """`options`, with a bundle that is a .zip unpacked for as long as the block runs."""
    archive = Path(options.bundle) if options.bundle else None
    if archive is None or archive.suffix != ".zip" or not archive.is_file():
        yield options
        return
    with TemporaryDirectory(prefix="ebhook-bundle-") as folder:
        try:
            with ZipFile(archive) as opened:
                opened.extractall(folder)  # no member leaves the folder: zipfile sees to that
        except (BadZipFile, OSError) as error:
            raise UsageFailed(f"{archive} is no bundle: {error}.") from None
        options.commands.began(replace(options.commands.typed, bundle=None))  # no other takes one
        yield replace(options, bundle=folder, archive=archive)


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
