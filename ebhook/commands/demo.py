"""``demo``: a private server, twelve agencies, three instances that boot at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import click

from ebhook.chain.folder import read_chain
from ebhook.commands.context import Options, finish, load_settings
from ebhook.database.connection import quoted, scalar
from ebhook.errors import Exit
from ebhook.report.board import Board
from ebhook.report.lines import count
from ebhook.report.screen import said_seconds
from ebhook.report.tables import table
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import Server, server
from ebhook.settings import Settings

AGENCIES = (
    "alder", "aspen", "birch", "cedar", "elm", "hazel",
    "juniper", "laurel", "maple", "olive", "rowan", "willow",
)  # fmt: skip
INSTANCES = ("i-0a1", "i-0b2", "i-0c3")


MIDDLE = 3  # tenants that are done when an instance is killed


@dataclass
class Instance:
    """One booting instance: its process, and how it ended."""

    name: str
    process: subprocess.Popen[bytes]
    began: float
    seconds: float = 0.0
    killed: bool = False


def demo(options: Options, *, flavour: str) -> Exit:
    """Boots a small fleet on a throw-away server, kills an instance in the middle, and cleans up."""
    settings = load_settings(options)
    chain = read_chain(settings.folder)
    say = partial(click.echo, err=options.json)
    say(f"Starting a private {flavour} server …")
    with server(Flavour(flavour), report=say) as scratch, tempfile.TemporaryDirectory() as folder:
        with scratch.connect() as connection, connection.cursor() as cursor:
            for agency in AGENCIES:
                cursor.execute(f"CREATE DATABASE {quoted(agency)}")
        environment = _environment(scratch, settings)
        say(
            f"{len(AGENCIES)} agencies with empty databases; the chain has "
            f"{count(len(chain.revisions), 'revision')}.\n"
            f"{len(INSTANCES)} instances boot at the same moment; one of them is killed (kill -9) in "
            "the middle:\n"
        )
        board = Board(AGENCIES, INSTANCES)
        with _shown(board, quiet=options.json) as show:
            instances = _boot_together(environment, settings, Path(folder), board, show)
        say("\nA fourth instance, later: nothing is left to do.\n")
        began = time.monotonic()
        late = subprocess.run(
            [*_EBHOOK, "boot"],
            env=environment,
            cwd=settings.root,
            check=False,
            stdout=sys.stderr if options.json else None,
        )
        at_head = time.monotonic() - began
        with scratch.connect() as connection:
            rows = sum(
                int(scalar(connection, f"SELECT COUNT(*) FROM {quoted(agency)}.migration_lock"))
                for agency in AGENCIES
            )
    well = all(one.killed or one.process.returncode == 0 for one in instances)
    code = Exit.OK if well and late.returncode == 0 and not rows else Exit.PERSON
    text = f"\n{_timings(instances, board, at_head)}\n\n" + (
        f"Locks left behind: {rows}. The server and its data are gone now."
    )
    finish(options, _document(code, instances, board, rows), text)
    return code


_EBHOOK = (sys.executable, "-m", "ebhook")
Heard = SimpleQueue[tuple[Instance, dict[str, Any] | None]]


def _environment(scratch: Server, settings: Settings) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EBHOOK_TENANTS_", "RDS_", "EBHOOK_ROLLOUT_"))
    }
    url = scratch.url("{tenant}")
    kept |= {"EBHOOK_TENANTS_URL": url, "EBHOOK_TENANTS_NAMES": ",".join(AGENCIES)}
    kept |= {"EBHOOK_MIGRATIONS": str(settings.folder)}
    return kept


Show = Callable[[float], None]


@contextmanager
def _shown(board: Board, *, quiet: bool) -> Iterator[Show]:
    """How the board is shown as time goes on: in its place on a terminal; piped, once, at the end."""
    if quiet:
        yield lambda seconds: None
        return
    if not sys.stdout.isatty():
        last = [0.0]
        yield lambda seconds: last.__setitem__(0, seconds)
        click.echo("\n".join(board.lines(last[0])))
        return
    height = 0

    def draw(seconds: float) -> None:
        nonlocal height
        lines = board.lines(seconds)
        up = f"\x1b[{height}A" if height else ""
        sys.stdout.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
        sys.stdout.flush()
        height = len(lines)

    draw(0.0)
    yield draw


def _boot_together(
    environment: dict[str, str], settings: Settings, folder: Path, board: Board, show: Show
) -> Sequence[Instance]:
    """Starts all instances, kills one of them in the middle, and waits for the last one."""
    heard: Heard = SimpleQueue()
    began = time.monotonic()
    with ExitStack() as stack:
        instances = []
        pool = stack.enter_context(ThreadPoolExecutor(len(INSTANCES)))
        for name in INSTANCES:
            reader, writer = os.pipe()
            process = subprocess.Popen(
                [*_EBHOOK, "boot", "--json", "--log-file", f"/dev/fd/{writer}"],
                env=environment | {"EBHOOK_HOLDER": name},
                cwd=settings.root,
                pass_fds=[writer],
                stdout=subprocess.DEVNULL,
                stderr=(folder / f"{name}.err").open("wb"),
            )
            os.close(writer)
            instance = Instance(name, process, time.monotonic())
            instances.append(instance)
            pool.submit(_listen, instance, os.fdopen(reader), heard)
        running, killed = len(instances), False
        while running:
            with suppress(Empty):
                instance, event = heard.get(timeout=0.2)
                if event is not None:
                    board.tell(instance.name, event)
                else:
                    running -= 1
                    board.end(instance.name, "killed" if instance.killed else "ended")
                if not killed and (victim := _in_the_middle(instances, board)):
                    killed = victim.killed = True
                    victim.process.kill()
            show(time.monotonic() - began)
    for instance in instances:
        if instance.process.wait() != 0 and not instance.killed:
            click.echo((folder / f"{instance.name}.err").read_text(errors="replace"), err=True)
    return instances


def _in_the_middle(instances: Sequence[Instance], board: Board) -> Instance | None:
    """An instance that holds a tenant while others have done some already; None: it is too early."""
    done = sum(sum(counted.values()) for counted in board.done.values())
    busy = [one for one in instances if board.holds(one.name) and one.process.poll() is None]
    return busy[-1] if done >= MIDDLE and len(busy) > 1 else None


def _listen(instance: Instance, log: IO[str], heard: Heard) -> None:
    with log:
        for line in log:
            with suppress(ValueError):  # the half of a line that a kill left
                heard.put((instance, json.loads(line)))
    instance.process.wait()
    instance.seconds = time.monotonic() - instance.began
    heard.put((instance, None))


def _timings(instances: Sequence[Instance], board: Board, at_head: float) -> str:
    lines = [
        (
            instance.name,
            "killed" if instance.killed else str(instance.process.returncode),
            said_seconds(instance.seconds),
            ", ".join(f"{number} {word}" for word, number in board.done[instance.name].items()),
        )
        for instance in instances
    ]
    lines.append(("a fourth", "0", said_seconds(at_head), f"{len(AGENCIES)} at head"))
    return table(("instance", "exit", "time", "tenants"), lines)


def _document(
    code: Exit, instances: Sequence[Instance], board: Board, rows: int
) -> dict[str, object]:
    return {
        "exit_code": int(code),
        "agencies": len(AGENCIES),
        "locks_left": rows,
        "instances": [
            {
                "instance": one.name,
                "exit_code": one.process.returncode,
                "seconds": round(one.seconds, 3),
                "tenants": dict(board.done[one.name]),
            }
            for one in instances
        ],
    }
