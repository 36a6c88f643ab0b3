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
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from ebhook.chain.graph import Chain
from ebhook.database.url import Url
from ebhook.errors import EbhookError, StateUnknown
from ebhook.events import Emit, Event, PasswordRead, Printed
from ebhook.next_command import ebhook, then
from ebhook.rollout.messages import Finished
from ebhook.rollout.worker_process import LineWriter
from ebhook.settings import Settings
from ebhook.upgrade.messages import Order

if TYPE_CHECKING:
    pass

# What is imported stays, and is shared with the workers: nothing of it is worth a collection.
_MAIN = "import gc; gc.disable(); from ebhook.rollout.worker_process import main; main()"


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


class WorkerOutput:
    """What the template's processes write past `sys.stdout`: handed on line by line, so that it goes
    the way of all texts. Wait for it beside the workers, and then `drain` it."""

    def __init__(self, reader: int, emit: Emit) -> None:
        self._reader = reader
        self._lines = LineWriter(lambda line: emit(Printed("", line)))
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
class WorkerPool:
    """The loaded process that workers are forked from. Use as a context manager."""

    settings: Settings
    chain: Chain
    url: Url  # of a tenant, for env.py's rehearsal
    emit: Emit
    process: subprocess.Popen[bytes] = field(init=False)
    control: Connection = field(init=False)
    output: WorkerOutput = field(init=False)
    free: list[Worker] = field(init=False, default_factory=list)

    def __enter__(self) -> WorkerPool:
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
        self.control, self.output = Connection(ours.detach()), WorkerOutput(reader, self.emit)
        try:
            self.control.send((self.settings, self.chain, self.url))
            problem = self._answer()
        except (EOFError, OSError):
            problem = StateUnknown(
                "The process that loads the migrations died.",
                "No database was touched.",
                then("Look at the output above, then: ", ebhook("status")),
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
