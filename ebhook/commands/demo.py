"""``demo``: a private server, twelve agencies, three instances that boot at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import click

from ebhook.chain.folder import read_chain
from ebhook.commands.context import Options, load_settings
from ebhook.database.connection import quoted, scalar
from ebhook.errors import Exit
from ebhook.report.tables import table
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import Server, server
from ebhook.settings import Settings

AGENCIES = (
    "alder", "aspen", "birch", "cedar", "elm", "hazel",
    "juniper", "laurel", "maple", "olive", "rowan", "willow",
)  # fmt: skip
INSTANCES = ("i-0a1", "i-0b2", "i-0c3")


@dataclass
class Instance:
    """One booting instance: its process, and what it told."""

    name: str
    process: subprocess.Popen[bytes]
    began: float
    seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)


def demo(options: Options, *, flavour: str) -> Exit:
    """Boots a small fleet on a throw-away server, shows who does what, and cleans up."""
    settings = load_settings(options)
    chain = read_chain(settings.folder)
    say = click.echo
    say(f"Starting a private {flavour} server …")
    with server(Flavour(flavour), report=say) as scratch, tempfile.TemporaryDirectory() as folder:
        with scratch.connect() as connection, connection.cursor() as cursor:
            for agency in AGENCIES:
                cursor.execute(f"CREATE DATABASE {quoted(agency)}")
        environment = _environment(scratch, settings)
        say(
            f"{len(AGENCIES)} agencies with empty databases; the chain has "
            f"{len(chain.revisions)} revisions.\n"
            f"{len(INSTANCES)} instances boot at the same moment:\n"
        )
        instances = _boot_together(environment, settings, Path(folder))
        say("\n$ ebhook status")
        subprocess.run([*_EBHOOK, "status"], env=environment, cwd=settings.root, check=False)
        say("\n$ ebhook boot          # a fourth instance, later: nothing left to do")
        began = time.monotonic()
        late = subprocess.run([*_EBHOOK, "boot"], env=environment, cwd=settings.root, check=False)
        at_head = time.monotonic() - began
        say("")
        say(_timings(instances, at_head))
        with scratch.connect() as connection:
            rows = sum(
                int(scalar(connection, f"SELECT COUNT(*) FROM {quoted(agency)}.migration_lock"))
                for agency in AGENCIES
            )
        say(f"\nLocks left behind: {rows}. The server and its data are gone now.")
    codes = [instance.process.returncode for instance in instances] + [late.returncode]
    return Exit.OK if not any(codes) and not rows else Exit.PERSON


_EBHOOK = (sys.executable, "-m", "ebhook")


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


def _boot_together(
    environment: dict[str, str], settings: Settings, folder: Path
) -> Sequence[Instance]:
    """Starts all instances, tells what each does as it happens, and waits for the last one."""
    heard: SimpleQueue[tuple[Instance, dict[str, Any] | None]] = SimpleQueue()
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
        for instance, event in _until_all_end(heard, len(instances)):
            _tell(instance, event)
    for instance in instances:
        if instance.process.wait() != 0:
            click.echo((folder / f"{instance.name}.err").read_text(errors="replace"), err=True)
    return instances


def _listen(
    instance: Instance, log: IO[str], heard: SimpleQueue[tuple[Instance, dict[str, Any] | None]]
) -> None:
    with log:
        for line in log:
            heard.put((instance, json.loads(line)))
    instance.process.wait()
    instance.seconds = time.monotonic() - instance.began
    heard.put((instance, None))


def _until_all_end(
    heard: SimpleQueue[tuple[Instance, dict[str, Any] | None]], running: int
) -> Iterator[tuple[Instance, dict[str, Any]]]:
    while running:
        instance, event = heard.get()
        if event is None:
            running -= 1
        else:
            yield instance, event


def _tell(instance: Instance, event: dict[str, Any]) -> None:
    """One line for what a person wants to see; each instance has a colour and a column."""
    place = INSTANCES.index(instance.name)
    kind = event["event"]
    if kind == "LockTaken":
        what = f"{event['tenant']}: locked"
    elif kind == "LockWaiting":
        what = f"{event['tenant']}: waiting for {event['holder']}"
    elif kind == "PutBack":
        what = f"{event['tenant']}: another has it; later"
    elif kind == "TenantDone":
        outcome = event["outcome"].replace("_", " ")
        instance.outcomes[outcome] = instance.outcomes.get(outcome, 0) + 1
        what = f"{event['tenant']}: {outcome} in {event['seconds']:.1f} s"
    else:
        return
    colour = ("cyan", "magenta", "yellow")[place]
    at = f"{time.monotonic() - instance.began:5.1f} s"
    click.echo(f"{at}  {'  ' * place}{click.style(instance.name, fg=colour)}  {what}")


def _timings(instances: Sequence[Instance], at_head: float) -> str:
    lines = [
        (
            instance.name,
            str(instance.process.returncode),
            f"{instance.seconds:.2f}",
            ", ".join(f"{number} {word}" for word, number in instance.outcomes.items()),
        )
        for instance in instances
    ]
    lines.append(("a fourth", "0", f"{at_head:.2f}", f"{len(AGENCIES)} at head"))
    return table(("instance", "exit", "seconds", "tenants"), lines)
