"""The last gate: pending revisions, held against the rules in a process of its own, within bounds.

A version file is code, and lint needs SQLAlchemy: both stay out of the process that decides. It is
started before the rollout loads Alembic, so that the two load side by side, and asked when the
rollout is about to begin with its first tenant.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection
from tempfile import TemporaryFile
from types import TracebackType

import msgspec
from msgspec import Struct

from ebhook.chain.graph import Chain
from ebhook.settings import ChainSettings, LintSettings, Settings

TIMEOUT = 30.0  # seconds for all pending revisions; each costs a few hundredths
# The isolated path (-P) keeps the folder that this runs in from shadowing modules.
# It lives for a second: nothing in it is worth a collection.
_MAIN = "import gc; gc.disable(); from ebhook.lint.gate_process import main; main()"


class GateFinding(Struct, frozen=True):
    """A finding, as values and as a text for people: where, what, why, the corrected code."""

    rule: str
    title: str
    revision: str | None
    file: str
    line: int
    message: str
    corrected: str
    text: str


class GateVerdict(Struct, frozen=True):
    """What the rules say of the pending revisions.

    `allowed` counts findings that a comment allows; `unseen` are findings that say what could not
    be judged. `problem`: why nothing could be judged at all; None otherwise.
    """

    findings: tuple[GateFinding, ...] = ()
    allowed: int = 0
    unseen: tuple[GateFinding, ...] = ()
    problem: str | None = None

    @property
    def passes(self) -> bool:
        return not self.findings and self.problem is None


class GateRequest(Struct, frozen=True):
    """What the process needs to know: nothing of tenants, and no password."""

    root: str
    migrations: str
    version_table: str
    chain: ChainSettings
    lint: LintSettings
    revisions: dict[str, str]  # id: file, parents before children
    pending: tuple[str, ...]


class Gate:
    """The process that judges. Use as a context manager; whatever happens, it ends with the block."""

    def __init__(self, settings: Settings, chain: Chain, pending: Collection[str]) -> None:
        """
        Args:
            pending: the ids of the revisions that some tenant lacks.
        """
        self._request = GateRequest(
            str(settings.root),
            settings.migrations,
            settings.version_table,
            settings.chain,
            settings.lint,
            {id: str(revision.path) for id, revision in chain.revisions.items()},
            tuple(pending),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._verdict: GateVerdict | None = None

    def __enter__(self) -> Gate:
        try:
            # A file, not a pipe: whatever its size, writing it waits for nobody.
            with TemporaryFile() as request:
                request.write(msgspec.json.encode(self._request))
                request.seek(0)
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _MAIN],
                    stdin=request,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
        except OSError as error:
            self._verdict = GateVerdict(
                problem=f"its process could not be started: {error.strerror}"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def verdict(self, timeout: float = TIMEOUT) -> GateVerdict:
        """What the rules say; never raises for what goes wrong in there.

        Args:
            timeout: seconds from now.
        """
        if self._verdict is None:
            self._verdict = self._ask(timeout)
        return self._verdict

    def _ask(self, timeout: float) -> GateVerdict:
        assert self._process is not None
        began = time.monotonic()
        try:
            said, errors = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return GateVerdict(problem=f"lint did not end within {time.monotonic() - began:.0f} s")
        finally:
            if self._process.poll() is not None:
                self._process = None
        try:
            return msgspec.json.decode(said, type=GateVerdict)
        except msgspec.MsgspecError:
            lines = errors.decode("utf-8", "replace").strip().splitlines() or ["its process died"]
            return GateVerdict(problem=f"lint itself failed: {lines[-1]}")
