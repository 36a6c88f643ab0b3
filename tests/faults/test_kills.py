"""Struck down at any statement, the next boot reaches head with nobody typing anything: the schema and
the data are those of a run that nothing happened to, and no lock and no open revision is left."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import AnyServer, GivenServer
from tests.support import kill_sites
from tests.support.kill_sites import Act, Blows, Point, Site, a_little_later, end, end_of, some
from tests.support.proxy import Fate, Where
from tests.support.watching import ask

pytestmark = pytest.mark.timeout(3000)

AT_ONCE = 16  # tenants that one boot has in flight when it is killed as a whole
SWEEP = 64  # tenants that one boot brings to head while they are struck one by one

# What strikes, and whether it is tried before each single statement.
STRIKES: dict[str, tuple[Callable[[Site], Act], bool]] = {
    "kill -9 of the worker": (kill_sites.kill_the_client, True),
    "KILL CONNECTION": (kill_sites.kill_the_session, True),
    "network cut": (kill_sites.cut_the_line, False),
}


@pytest.mark.parametrize(("strike", "boundaries"), STRIKES.values(), ids=STRIKES.keys())
def test_a_tenant_that_is_struck_is_finished_by_the_same_boot(
    site: Site, blows: Blows, strike: Callable[[Site], Act], boundaries: bool
) -> None:
    """The worker, its session or its line is gone: the boot looks again, and goes on from there."""
    for chosen in some(blows(0.2, at_least=6, boundaries=boundaries), SWEEP):
        points = site.tenants(chosen)

        site.strike(points, a_little_later(strike(site), 0.01))
        ran = site.run("boot", names=list(points))

        assert ran.code == 0, ran.stdout
        site.check(list(points))


def test_instances_that_die_as_a_whole(site: Site, blows: Blows) -> None:
    """kill -9 of the process group, with every tenant in flight at its point."""
    for chosen in some(blows(0.1, at_least=AT_ONCE, boundaries=True), AT_ONCE):
        points = site.tenants(chosen)
        with site.held(points) as release:
            boot = site.start(list(points), EBHOOK_ROLLOUT_WORKERS=str(AT_ONCE))
            held = site.await_all_held(boot)
            end(boot)
            end_of(boot)
            release.set()
        site.count("kill -9 of the process group: tenants in flight", held)

        site.recover(list(points))


def test_instances_that_die_at_any_moment(site: Site, blows: Blows) -> None:
    """kill -9 of the process group while its tenants are in the middle of whatever they are in."""
    for chosen in some(blows(0.2, at_least=6), AT_ONCE):
        names = list(site.tenants(chosen))
        moment = blows.random.randrange(1, len(names) * (site.length - 9))
        killed: list[subprocess.Popen[str]] = []
        ready = threading.Event()

        def kill(killed: list[subprocess.Popen[str]], ready: threading.Event) -> None:
            ready.wait()
            end(killed[0])

        struck = site.when(moment, partial(kill, killed, ready))
        killed.append(site.start(names, EBHOOK_ROLLOUT_WORKERS=str(AT_ONCE)))
        ready.set()
        end_of(killed[0])
        site.count("kill -9 of the process group: tenants in flight", len(struck))

        site.recover(names)


def test_instances_that_die_again_and_again(site: Site, blows: Blows) -> None:
    """The boot that goes on from a crash is killed, too, and so is the one after it."""
    points = site.tenants(blows(0.1, at_least=6))
    names = list(points)
    for _ in range(3):
        moments = {name: Point(blows.random.randrange(20, 60), Where.AFTER) for name in names}
        with site.held(moments) as release:
            boot = site.start(names, EBHOOK_ROLLOUT_WORKERS=str(len(names)))
            held = site.await_all_held(boot)
            end(boot)
            end_of(boot)
            release.set()
        site.count("kill -9 of the process group: tenants in flight", held)

    site.recover(names)


@pytest.mark.parametrize("moment", ["with each at its point", "at any moment"])
def test_a_server_that_dies(site: Site, blows: Blows, moment: str) -> None:
    """kill -9 of the server; started again, the next boot goes on."""
    if isinstance(site.server, GivenServer):
        pytest.skip("a server that was given is not ours to kill")
    for chosen in some(blows(0.1, at_least=6), 6):
        points = site.tenants(chosen)
        names = list(points)
        quick = {"EBHOOK_ROLLOUT_WORKERS": str(len(names)), "EBHOOK_CONNECT_TIMEOUT": "1"}
        quick["EBHOOK_ROLLOUT_DEADLINE"] = "15"  # until then it looks whether the server is back
        if moment == "at any moment":
            kill = partial(os.kill, site.server.pid, signal.SIGKILL)
            struck = site.when(blows.random.randrange(1, len(names) * (site.length - 9)), kill)
            ran = end_of(site.start(names, **quick))
            hit = len(struck)
        else:
            with site.held(points) as release:
                boot = site.start(names, **quick)
                hit = site.await_all_held(boot)
                site.server.kill()
                release.set()
            ran = end_of(boot)
        site.server.kill()
        site.server.start()
        site.count("kill -9 of the server: tenants in flight", hit)

        assert ran.code in (2, 75), ran.stdout
        site.recover(names)


def test_a_network_that_falls_silent(site: Site, blows: Blows) -> None:
    """Nothing passes and nothing breaks: the server ends the silent sessions after
    ddl.wait_timeout, and the boot of another instance takes over while the first one still hangs."""
    points = site.tenants(blows(0.05, at_least=4))
    names = list(points)
    site.strike(points, lambda query: Fate.SILENCE)
    first = site.start(names, EBHOOK_DDL_WAIT_TIMEOUT="5", EBHOOK_ROLLOUT_WORKERS=str(len(names)))
    silent = site.await_all_held(first)

    site.recover(names, EBHOOK_ROLLOUT_WORKERS=str(len(names)))

    site.count("black hole: tenants in flight", silent)
    assert first.poll() is None
    end(first)


@pytest.mark.parametrize("times", [1, 2])
def test_a_boot_that_is_told_to_stop(site: Site, blows: Blows, times: int) -> None:
    """SIGTERM to the whole group: the revision under way is finished, or its statement ended (the
    second signal); the boot says that it stopped (75), and the next one goes on."""
    points = site.tenants(blows(0.05, at_least=4))
    names = list(points)
    with site.held(points, then=Fate.ON) as release:
        boot = site.start(names, EBHOOK_ROLLOUT_WORKERS=str(len(names)))
        told = site.await_all_held(boot)
        for _ in range(times):
            end(boot, signal.SIGTERM)
        release.set()
        ran = end_of(boot)
    site.count("SIGTERM: tenants in flight", told)

    assert ran.code == (75 if told else 0), ran.stdout
    site.recover(names)


def test_a_server_that_becomes_read_only(site: Site, blows: Blows) -> None:
    """A fail-over leaves the writer behind: what is under way is refused for now (75 at the deadline),
    and goes on when the server takes writes again."""
    points = site.tenants(blows(0.05, at_least=4))
    names = list(points)
    login = _login_without_super(site, names)
    with site.held(points, then=Fate.ON) as release:
        quick = {"EBHOOK_ROLLOUT_WORKERS": str(len(names)), "EBHOOK_ROLLOUT_DEADLINE": "30"}
        boot = site.start(names, **quick, **login)
        met = site.await_all_held(boot)
        with _read_only(site.server):
            release.set()
            ran = end_of(boot)
    site.count("read-only server: tenants in flight", met)

    assert ran.code in (0, 75), ran.stdout
    site.recover(names, **login)


def test_a_disk_that_is_full(site: Site, tmp_path: Path) -> None:
    """A tenant whose disk fills up in the middle of a revision goes on when there is room again."""
    if isinstance(site.server, GivenServer) or os.geteuid() != 0:
        pytest.skip("NO FULL DISK WAS TRIED: it takes root, and a server of our own")
    (name,) = site.fleets(1, prefix="full").names
    folder = site.server.datadir / name
    with _small_disk(folder) as fill:
        # The table of the fourth revision is the first one that finds no room.
        with site.held({name: Point(120)}, then=Fate.ON) as release:
            boot = site.start([name])
            site.await_all_held(boot)
            fill()
            release.set()
            ran = end_of(boot)
        site.count("full disk: tenants in flight")
        assert ran.code in (2, 75), ran.stdout
        (folder / "filler").unlink()
        site.server.start()
        site.recover([name])
        _drop_all(site.server, name)


def _login_without_super(site: Site, names: list[str]) -> dict[str, str]:
    """A user whom read_only stops, as the settings for it."""
    with site.server.connect() as connection:
        ask(connection, "CREATE USER IF NOT EXISTS agency@'%' IDENTIFIED BY 'secret'")
        ask(connection, "GRANT ALL ON `t\\_%`.* TO agency@'%'")
        ask(connection, "SET GLOBAL log_bin_trust_function_creators = ON")  # as on RDS
    url = f"mysql+pymysql://agency:secret@127.0.0.1:{site.proxy.port}/{{tenant}}"
    return {"EBHOOK_TENANTS_URL": url}


@contextmanager
def _read_only(server: AnyServer) -> Iterator[None]:
    with server.connect() as connection:
        ask(connection, "SET GLOBAL read_only = ON")
        try:
            yield
        finally:
            ask(connection, "SET GLOBAL read_only = OFF")


def _drop_all(server: AnyServer, name: str) -> None:
    """Empties a database: a server that is killed later would miss what was on the disk that goes."""
    with server.connect(database=name) as connection:
        ask(connection, "SET SESSION foreign_key_checks = 0")
        for table, kind in ask(connection, "SHOW FULL TABLES"):
            ask(connection, f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} `{table}`")


@contextmanager
def _small_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """`folder` on a disk of its own, which the function that this gives fills up."""
    owner = folder.stat()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"NO FULL DISK WAS TRIED: {made.stderr}")
    os.chown(folder, owner.st_uid, owner.st_gid)

    def fill() -> None:
        with suppress(OSError), (folder / "filler").open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()

    try:
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
