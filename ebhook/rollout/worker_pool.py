"""The processes around the upgrades: one per tenant in flight, forked from one that has it all.

Importing Alembic, the version files and the application costs a second or more. A *template* process
pays it once, and the workers are forks of it (milliseconds): Alembic is not safe in threads. A worker
goes on to another tenant only if nothing of the one before can be left in it (see `ebhook.rollout.reuse`).

    boot ──control socket──> template ──fork──> worker ──its own socket──> boot

Nobody outlives `boot`: the template ends when the control socket does, and the kernel ends the
workers with the template. A worker's socket that ends without a result means that it died.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from io import TextIOBase
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TYPE_CHECKING, Any

from ebhook.chain.folder import Chain
from ebhook.database.url import Url
from ebhook.errors import ChainBroken, EbhookError, StateUnknown
from ebhook.events import Emit, Event, PasswordRead, Printed
from ebhook.settings import Settings
from ebhook.upgrade.messages import Finished, Order

if TYPE_CHECKING:
    from ebhook.upgrade.project import Project

# What is imported stays, and is shared with the workers: nothing of it is worth a collection.
_MAIN = "import gc; gc.disable(); from ebhook.rollout.worker_pool import main; main()"


@dataclass(eq=False)
class Worker:
    """A worker seen from `boot`: events come from `socket`, and anything sent there means: stop."""

    order: Order
    socket: Connection
    asked_to_stop: bool = False

    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self) -> Event | Finished | None:
        """The next message; None when the worker died without a last one."""
        try:
            message: Event | Finished = self.socket.recv()
        except (EOFError, OSError):  # OSError: in the middle of a message
            return None
        return message

    def take(self, order: Order) -> bool:
        """Gives a free worker another order; False when it has died meanwhile."""
        self.order = order
        try:
            self.socket.send(order)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Asks the worker to begin no further revision, and to end."""
        if not self.asked_to_stop:
            self.asked_to_stop = True
            with contextlib.suppress(OSError):  # it has just ended
                self.socket.send(True)


class Output:
    """What the template's processes write past `sys.stdout`: handed on line by line, so that it goes
    the way of all texts. Wait for it beside the workers, and then `drain` it."""

    def __init__(self, reader: int, emit: Emit) -> None:
        self._reader = reader
        self._lines = _Lines(lambda line: emit(Printed("", line)))
        self.ended = False

    def fileno(self) -> int:
        return self._reader

    def drain(self) -> None:
        """Hands on what is there, and waits for nothing that is not."""
        data = os.read(self._reader, 65536)
        self.ended = not data
        self._lines.write(data.decode("utf-8", "replace"))

    def close(self) -> None:
        while not self.ended and wait([self.fileno()], 0):
            self.drain()
        self._lines.flush()
        os.close(self._reader)


@dataclass
class Template:
    """The loaded process that workers are forked from. Use as a context manager."""

    settings: Settings
    chain: Chain
    url: Url  # of a tenant, for env.py's rehearsal
    emit: Emit
    process: subprocess.Popen[bytes] = field(init=False)
    control: Connection = field(init=False)
    output: Output = field(init=False)
    free: list[Worker] = field(init=False, default_factory=list)

    def __enter__(self) -> Template:
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=writer,  # ours is for the report alone
                stderr=writer,
            )
        os.close(writer)
        self.control, self.output = Connection(ours.detach()), Output(reader, self.emit)
        try:
            self.control.send((self.settings, self.chain, self.url))
            problem = self._answer()
        except (EOFError, OSError):
            problem = StateUnknown(
                "The process that loads the migrations died.",
                "No database was touched.",
                "Look at the output above, then: ebhook status",
            )
        if problem is not None:
            self.__exit__()
            raise problem
        return self

    def _answer(self) -> EbhookError | None:
        """How the loading went; passes on what is said meanwhile."""
        while True:
            output = [] if self.output.ended else [self.output.fileno()]
            if self.control in wait([self.control, *output]):
                message: EbhookError | PasswordRead | None = self.control.recv()
                if not isinstance(message, PasswordRead):
                    return message
                self.emit(message)
            else:
                self.output.drain()

    def start(self, order: Order) -> Worker:
        """A worker for one tenant: a free one, or a new one."""
        from multiprocessing.reduction import send_handle

        while self.free:
            worker = self.free.pop()
            if worker.take(order):
                return worker
            worker.socket.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self.control.send(order)
            send_handle(self.control, theirs.fileno(), self.process.pid)
        return Worker(order, Connection(ours.detach()))

    def done(self, worker: Worker, finished: Finished | None) -> None:
        """`worker` has ended its order, or itself."""
        if finished is not None and finished.free and not worker.asked_to_stop:
            self.free.append(worker)
        else:
            worker.socket.close()

    def __exit__(self, *_: object) -> None:
        for worker in self.free:
            worker.socket.close()
        self.control.close()
        while self.process.poll() is None:  # it may still have something to say
            if not self.output.ended and wait([self.output.fileno()], 0.01):
                self.output.drain()
            elif self.output.ended:
                self.process.wait()
        self.output.close()


def main() -> None:
    """The template's own life: load, then fork a worker for each order."""
    die_with_parent(os.getppid())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # `boot` decides, and then closes the socket
    control = Connection(int(sys.argv.pop()))
    settings, chain, url = control.recv()
    try:
        project = _load(settings, chain)
        if url.origin is not None and url.origin.kind == "iam":
            # For env.py's own engine; and what a token needs is made once for all workers.
            from ebhook.aws.client import renewed

            url = renewed(url)
            if url.password is not None:
                control.send(PasswordRead(url.password))
        _rehearse(project, url)
    except EbhookError as error:
        control.send(error)
        return
    try:
        control.send(None)
    except BrokenPipeError:  # `boot` has ended meanwhile
        return
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the workers
    _serve(control, project, url)


def _load(settings: Settings, chain: Chain) -> Project:
    os.chdir(settings.root)
    sys.path.insert(0, str(settings.root))
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


def _rehearse(project: Project, url: Url) -> None:
    """Runs env.py once, in a fork, so that the connections it opens are not inherited."""
    ours, theirs = socket.socketpair()
    template = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(template)
        out = Connection(theirs.detach())
        try:
            project.rehearse(url)
            out.send(None)
        except EbhookError as error:
            out.send(error)
        finally:
            os._exit(0)
    theirs.close()
    try:
        problem: EbhookError | None = Connection(ours.detach()).recv()
    except EOFError:
        problem = ChainBroken(
            f"{project.env_py} ended its process.", "No revision was run.", "Mend it."
        )
    os.waitpid(child, 0)
    if problem is not None:
        raise problem


def _serve(control: Connection, project: Project, url: Url) -> None:
    from multiprocessing.reduction import recv_handle

    template, warm = os.getpid(), False
    while True:
        try:
            order: Order = control.recv()
            handle: int = recv_handle(control)
        except (EOFError, OSError):
            return
        if os.fork() == 0:
            gc.enable()
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent(template)
            _work(Connection(handle), project, order)
        os.close(handle)
        if not warm:  # while the first worker, a canary as a rule, is busy
            warm = True
            _warm(url)


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
        from ebhook.rollout.reuse import keeps_nothing

        lines = _Lines(lambda line: out.send(Printed(order.tenant.name, line)))
        sys.stdout = sys.stderr = lines
        free = True
        while free:
            finished = _carry_out(project, order, out.send, lambda: bool(stopped) or out.poll())
            moved = finished.moved
            free = moved is not None and keeps_nothing(project, moved.revisions) and not stopped
            lines.flush()
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
        traceback.print_exc()
        return Finished(error=_bug(order, error))


def _bug(order: Order, error: BaseException) -> StateUnknown:
    return StateUnknown(
        f"{order.tenant.name}: ebhook itself failed: {type(error).__name__}: {error}.",
        "Its state has not been read again.",
        f"See where it stands: ebhook status {order.tenant.name}",
    )


class _Lines(TextIOBase):
    """Text output, handed on line by line."""

    def __init__(self, handle: Callable[[str], Any]) -> None:
        self._handle = handle
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._handle(line)
        return len(text)

    def flush(self) -> None:
        if self._rest:
            self._handle(self._rest)
            self._rest = ""


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when `parent` ends (Linux: prctl(2), PR_SET_PDEATHSIG = 1).

    Args:
        parent: its pid, known before there was this process, which may have outlived it already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
