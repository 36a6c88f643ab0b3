"""The processes around the upgrades: one per tenant in flight, forked from one that has it all.

Importing Alembic, the version files and the application costs a second or more. A *template* process
pays it once, and the workers are forks of it (milliseconds): Alembic is not safe in threads. A worker
goes on to another tenant only if nothing of the one before can be left in it (see `ebhook.rollout.reuse`).

    boot ──control socket──> template ──fork──> worker ──its own socket──> boot

No process outlives `boot`: the template ends when the control socket does, or with `boot` itself, and
the workers end with the template. A worker's socket that ends without a result means that it died.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from ebhook.chain.graph import Chain
from ebhook.concurrency import Budget, Interruption
from ebhook.database.url import Url
from ebhook.errors import EbhookError, StateUnknown, Stopped, Transient
from ebhook.events import Emit, Event, PasswordRead, Printed
from ebhook.next_command import ebhook, then
from ebhook.rollout.messages import Finished
from ebhook.rollout.worker_process import Lines
from ebhook.settings import Settings
from ebhook.upgrade.messages import Order

LOSSES = 2  # how often the template may die and be loaded anew
LAST_WORDS = 2.0  # seconds for the template to end by itself

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
        self._lines = Lines(lambda line: emit(Printed("", line)), reader)
        self.ended = False

    def fileno(self) -> int:
        return self._reader

    def drain(self) -> None:
        """Hands on what is there, and waits for nothing that is not."""
        data = os.read(self._reader, 65536)
        self.ended = not data
        self._lines.write(data)

    def close(self) -> None:
        while not self.ended and wait([self.fileno()], 0):
            self.drain()
        self._lines.end()
        os.close(self._reader)


@dataclass
class WorkerPool:
    """The loaded process that workers are forked from. Use as a context manager.

    `url` is a tenant's, for env.py's rehearsal. `budget` and `interruption` end the loading, too.
    """

    settings: Settings
    chain: Chain
    url: Url
    emit: Emit
    budget: Budget
    interruption: Interruption
    process: subprocess.Popen[bytes] = field(init=False)
    control: Connection = field(init=False)
    output: WorkerOutput = field(init=False)
    free: list[Worker] = field(init=False, default_factory=list)
    losses: int = field(init=False, default=0)

    def __enter__(self) -> WorkerPool:
        self._begin()
        return self

    def reload(self) -> None:
        """A new template after the old one died.

        Raises:
            Transient: it has died too often, or cannot be started now.
            EbhookError: as for the first one.
        """
        self.losses += 1
        self._close()
        if self.losses > LOSSES:
            raise self._died()
        self._begin()

    def _begin(self) -> None:
        try:
            self._spawn()
        except OSError as error:
            raise Transient(
                f"The process that loads the migrations could not be started: {error.strerror}.",
                next=then("Free memory and processes on this machine, then: ", ebhook("upgrade")),
            ) from None
        try:
            self.control.send((self.settings, self.chain, self.url))
            problem = self._answer()
        except (EOFError, OSError):
            problem = self._died()
        except BaseException:
            self.kill()
            self._close()
            raise
        if problem is not None:
            self._close()
            raise problem

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(os.getpid()), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=writer,  # ours is for the report alone
                stderr=writer,
            )
        except BaseException:
            os.close(reader)
            ours.close()
            raise
        finally:
            os.close(writer)
            theirs.close()
        self.control, self.output = Connection(ours.detach()), WorkerOutput(reader, self.emit)

    def _answer(self) -> EbhookError | None:
        """How the loading went; passes on what is said meanwhile. Raises `Stopped`."""
        while True:
            sources: list[Any] = [self.control, self.interruption]
            sources += [] if self.output.ended else [self.output]
            ready: list[Any] = wait(sources, self.budget.left())
            if self.control in ready:
                message: EbhookError | PasswordRead | None = self.control.recv()
                if not isinstance(message, PasswordRead):
                    return message
                self.emit(message)
            elif self.interruption in ready or not ready:
                why = self.interruption.name or "the deadline came"
                raise Stopped(f"{why} while the migrations were loaded")
            else:
                self.output.drain()

    def _died(self) -> EbhookError:
        """What to say of a template that is gone."""
        code = self.process.wait()
        what = "The process that loads the migrations died"
        if code < 0:  # by a signal, as of the kernel when memory is short
            return Transient(
                f"{what} (signal {-code}).",
                next=then("Is memory short? Look at dmesg, then: ", ebhook("upgrade")),
            )
        return StateUnknown(
            f"{what}.",
            "No database was touched.",
            then("Look at the output above, then: ", ebhook("status")),
        )

    def start(self, order: Order) -> Worker:
        """A worker for one tenant: a free one, or a new one.

        Raises:
            OSError: the template is gone, or the machine is short of something (`shortage_of`).
        """
        from multiprocessing.reduction import send_handle

        while self.free:
            worker = self.free.pop()
            if worker.take(order):
                return worker
            worker.socket.close()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self.control.send(order)
                send_handle(self.control, theirs.fileno(), self.process.pid)
        except OSError:
            ours.close()
            raise
        return Worker(order, Connection(ours.detach()))

    def done(self, worker: Worker, finished: Finished | None) -> None:
        """`worker` has ended its order, or itself."""
        if finished is not None and finished.free and not worker.asked_to_stop:
            self.free.append(worker)
        else:
            worker.socket.close()

    def kill(self) -> None:
        """Ends the template at once, and with it every worker: their sessions end with them."""
        self.process.kill()

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for worker in self.free:
            worker.socket.close()
        self.free.clear()
        self.control.close()
        until = time.monotonic() + LAST_WORDS
        while self.process.poll() is None:  # it may still have something to say
            if time.monotonic() > until:  # an application's thread that does not end
                self.kill()
                self.process.wait()
            elif self.output.ended:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.01)
            elif wait([self.output.fileno()], 0.01):
                self.output.drain()
        self.output.close()
