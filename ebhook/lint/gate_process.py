"""The process of the last gate: reads what is pending, runs lint on it, and writes its verdict."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from ebhook.concurrency import SIGNALS, die_with_parent
from ebhook.errors import EbhookError
from ebhook.lint.gate import GateFinding, GateRequest, GateVerdict
from ebhook.settings import Settings

# Whoever sends a signal to all of a boot's processes means the boot, which then ends this one.
CPU_SECONDS, MEMORY = 60, 4 * 1024**3


def main() -> None:
    die_with_parent(os.getppid())
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    out = os.dup(1)
    os.dup2(2, 1)  # what version files print is not the verdict
    _bound()
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=GateRequest)
    verdict = msgspec.json.encode(_judge(request))
    with open(out, "wb") as stream:
        stream.write(verdict)
    sys.stderr.flush()
    os._exit(0)  # no exit handlers: they belong to the application


def _bound() -> None:
    import resource

    for kind, most in ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_AS, MEMORY)):
        hard = resource.getrlimit(kind)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (soft, hard))


def _judge(request: GateRequest) -> GateVerdict:
    from ebhook.lint.finding import Finding
    from ebhook.lint.formats.corrected import corrected
    from ebhook.lint.formats.paths import shown
    from ebhook.lint.formats.text import finding_text
    from ebhook.lint.pending import UNSEEN, judge_pending

    settings = Settings(
        migrations=request.migrations,
        version_table=request.version_table,
        chain=request.chain,
        lint=request.lint,
        root=Path(request.root),
    )
    os.chdir(settings.root)
    revisions = {id: Path(path) for id, path in request.revisions.items()}
    try:
        report = judge_pending(settings, revisions, set(request.pending))
    except EbhookError as error:
        return GateVerdict(problem=error.what)

    def as_values(finding: Finding) -> GateFinding:
        return GateFinding(
            finding.rule.id,
            finding.rule.title,
            finding.revision,
            shown(finding.path, settings.root),
            finding.span.line,
            finding.message,
            corrected(finding),
            finding_text([finding], settings.root),
        )

    return GateVerdict(
        tuple(as_values(one) for one in report.findings if one.rule.id not in UNSEEN),
        len(report.allowed),
        tuple(as_values(one) for one in report.findings if one.rule.id in UNSEEN),
    )
