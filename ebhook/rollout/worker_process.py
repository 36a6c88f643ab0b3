"""The processes that load the migrations and run them: the template, and its forks, the workers."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from io import BufferedWriter, RawIOBase, TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ebhook.aws import beanstalk
from ebhook.aws.deployed import modules_of
from ebhook.chain.graph import Chain
from ebhook.concurrency import become, die_with_parent, shortage_of
from ebhook.database.url import Url
from ebhook.errors import (
    ChainBroken,
    ConnectionLost,
    EbhookError,
    SettingsFailed,
    StateUnknown,
    Transient,
)
from ebhook.events import Emit, PasswordRead, Printed
from ebhook.next_command import ebhook, then
from ebhook.rollout.messages import Finished
from ebhook.settings import Settings
from ebhook.upgrade.messages import Order

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ebhook.upgrade.engine_handover import EnvRehearsal
    from ebhook.upgrade.project import Project


def main() -> None:
    """The template's own life: load, then fork a worker for each order."""
    handle, parent = int(sys.argv.pop()), int(sys.argv.pop())
    die_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # `boot` decides, and then closes the socket
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the rehearsal is waited for
    control = Connection(handle)
    settings, chain, url = control.recv()
    try:
        _become_the_application(settings)
        project = _load(settings, chain)
        if url.credential is not None and url.credential.is_per_login:
            # For env.py's own engine; and what a token needs is made once for all workers.
            url = url.credential.fresh(url)
            if url.password is not None:
                control.send(PasswordRead(url.password))
        project = replace(project, rehearsal=_rehearse(project, url))
    except EbhookError as error:
        control.send(error)
        return
    try:
        control.send(None)
    except BrokenPipeError:  # `boot` has ended meanwhile
        return
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are reaped automatically: no zombies
    _serve(control, project, url)


def _become_the_application(settings: Settings) -> None:
    """Gives up root for the user that the application runs as: what it creates while it is imported
    (a log file) would belong to root otherwise, and could not be written by the service.

    Raises:
        SettingsFailed: there is no such user, or it may not read the bundle.
    """
    user = settings.run_as or beanstalk.app_user()
    if os.geteuid() != 0 or user in (None, "root"):
        return
    parent = os.getppid()
    try:
        become(user)
    except (KeyError, OSError) as error:
        why = "there is no such user" if isinstance(error, KeyError) else error.strerror
        raise SettingsFailed(
            f"The application cannot be loaded as {user}: {why}.",
            "No database was touched.",
            'Name another user: run_as = "…" (EBHOOK_RUN_AS)',
        ) from None
    die_with_parent(parent)  # giving up root has ended that
    for folder in (settings.root, settings.folder, Path(sys.prefix)):
        if not os.access(folder, os.R_OK | os.X_OK):
            raise SettingsFailed(
                f"The application cannot be loaded as {user}, who may not read {folder}.",
                "No database was touched.",
                'Let it be read, or load the application as root: run_as = "root" (EBHOOK_RUN_AS)',
            )


def _load(settings: Settings, chain: Chain) -> Project:
    os.chdir(settings.root)
    sys.path[:] = [str(settings.root), *modules_of(sys.path, settings.root)]
    if "PYTHONPATH" in os.environ:  # for the programs that an application starts
        paths = modules_of(os.environ["PYTHONPATH"].split(os.pathsep), settings.root)
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    for module in (
        "ebhook.upgrade.tenant_upgrade",
        "encodings.idna",
    ):  # what the workers need, once for them all
        import_module(module)
    from ebhook.upgrade.project import load_project

    return load_project(settings, chain)


def _warm(url: Url) -> None:
    from ebhook.rollout.warm_up import warm

    warm(url)
    gc.freeze()


def _rehearse(project: Project, url: Url) -> EnvRehearsal:
    """Runs env.py once, in a fork, so that the connections it opens are not inherited."""
    ours, theirs = socket.socketpair()
    template = os.getpid()
    try:
        child = os.fork()
    except OSError as error:
        raise Transient(
            f"No process could be started to rehearse {project.env_py}: {error.strerror}.",
            next=then("Free memory and processes on this machine, then: ", ebhook("upgrade")),
        ) from None
    if child == 0:
        die_with_parent(template)
        out = Connection(theirs.detach())
        try:
            out.send(project.rehearse(url))
        except EbhookError as error:
            out.send(error)
        finally:
            os._exit(0)
    theirs.close()
    try:
        found: EbhookError | EnvRehearsal = Connection(ours.detach()).recv()
    except EOFError:
        found = ChainBroken(
            f"{project.env_py} ended its process.", "No revision was run.", "Mend it."
        )
    os.waitpid(child, 0)
    if isinstance(found, EbhookError):
        raise found
    return found


def _serve(control: Connection, project: Project, url: Url) -> None:
    from multiprocessing.reduction import recv_handle

    template, warm = os.getpid(), False
    while True:
        try:
            order: Order = control.recv()
            handle: int = recv_handle(control)
        except (EOFError, OSError):
            return
        try:
            child = os.fork()
        except OSError as error:  # too many processes, or no memory: this tenant's matter
            _refuse(Connection(handle), order, error)
            continue
        if child == 0:
            gc.enable()
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent(template)
            _work(Connection(handle), project, order)
        os.close(handle)
        if not warm:  # while the first worker, a canary as a rule, is busy
            warm = True
            _warm(url)


def _refuse(out: Connection, order: Order, error: OSError) -> None:
    """There is no worker for `order`."""
    refused = Transient(
        f"{order.tenant.name}: no worker could be started: {error.strerror}.",
        next=then("Free memory and processes on this machine, then: ", ebhook("upgrade")),
    )
    with suppress(OSError), out:
        out.send(Finished(error=refused))


def _work(out: Connection, project: Project, order: Order) -> None:
    """A worker's whole life; never returns."""
    stopped: list[int] = []
    idle = False

    def remember(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        if idle:
            os._exit(0)

    signal.signal(signal.SIGTERM, remember)
    code = 1
    try:
        from ebhook.rollout.reuse import is_stateless

        def say(line: str) -> None:
            out.send(Printed(order.tenant.name, line))

        sys.stdout, sys.stderr = streams = LineWriter(say, 1), LineWriter(say, 2)
        free = True
        while free:
            finished = _carry_out(project, order, out.send, lambda: bool(stopped) or out.poll())
            moved = finished.moved
            free = moved is not None and is_stateless(project, moved.revisions) and not stopped
            for stream in streams:
                stream.end_line()
            out.send(replace(finished, free=free))
            if free:
                idle = True
                message: Order | bool = out.recv()
                idle = False
                if not isinstance(message, Order):  # asked to stop
                    break
                order = message
        code = 0
    except EOFError:  # no more orders
        code = 0
    finally:
        os._exit(code)  # no exit handlers: they belong to the template, or to the application


def _carry_out(project: Project, order: Order, emit: Emit, stop: Callable[[], bool]) -> Finished:
    from ebhook.upgrade.tenant_upgrade import apply

    try:
        return Finished(moved=apply(project, order, emit, stop))
    except EbhookError as error:
        return Finished(error=error)
    except BaseException as error:
        words = shortage_of(error)
        if words is not None:
            what = f"{order.tenant.name}: its worker could not go on: {words}."
            return Finished(error=ConnectionLost(what, "", ""))
        traceback.print_exc()
        return Finished(error=_bug(order, error))


def _bug(order: Order, error: BaseException) -> StateUnknown:
    return StateUnknown(
        f"{order.tenant.name}: ebhook itself failed: {type(error).__name__}: {error}.",
        "Its state has not been read again.",
        then("See where it stands: ", ebhook("status", order.tenant.name)),
    )


class LineWriter(TextIOWrapper):
    """Text output, handed on line by line. Below it is a binary stream, and a file that is open: what
    writes there directly goes to the output of `boot`, without the tenant's name."""

    def __init__(self, handle: Callable[[str], Any], descriptor: int) -> None:
        super().__init__(
            BufferedWriter(Lines(handle, descriptor)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )

    def end_line(self) -> None:
        """Hands on what has no line end yet."""
        self.flush()
        lines: Lines = self.buffer.raw  # type: ignore[attr-defined]
        lines.end()


class Lines(RawIOBase):
    """Bytes, cut into lines. `descriptor` is what `fileno` says."""

    def __init__(self, handle: Callable[[str], Any], descriptor: int) -> None:
        self._handle = handle
        self._descriptor = descriptor
        self._rest: list[bytes] = []  # of a line: joined once, when it ends

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Buffer) -> int:
        given = bytes(data)
        *lines, rest = given.split(b"\n")
        for line in lines:
            self._rest.append(line)
            self.end(always=True)
        if rest:
            self._rest.append(rest)
        return len(given)

    def end(self, *, always: bool = False) -> None:
        line, self._rest = b"".join(self._rest), []
        if line or always:
            self._handle(line.decode("utf-8", "backslashreplace"))
