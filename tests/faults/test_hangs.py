"""Whatever does not answer, does not end or is refused: each boot ends within its deadline and five
seconds, says what became of whom, and leaves no process and no lock behind."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ebhook.scratch.process import Server
from tests.conftest import AnyServer, Ebhook, Fleets, Ran, clean_environment
from tests.support.agency import PROJECTS, Agency
from tests.support.kill_sites import Blows, Point, Site
from tests.support.odd_servers import ODD, odd_server
from tests.support.proxy import Fate, Proxy, Where
from tests.support.tally import count
from tests.support.watching import ask, marked, running, until

pytestmark = pytest.mark.timeout(120)

OVER = 5.0  # seconds that a boot may take beyond its deadline
DEADLINE = 4.0
QUICK: dict[str, object] = {
    "rollout_deadline": DEADLINE,
    "rollout_grace": 0.5,
    "connect_timeout": 1,
}

Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency("linear", 2)``: a project with so many empty tenants."""

    def make(project: str | Path, number: int, **settings: object) -> Agency:
        return Agency(fleet(number), ebhook, PROJECTS / project, {**QUICK, **settings})

    return make


# Where healthy tenants are to be upgraded meanwhile, on a busy machine.
LONGER = 15.0


def in_time(flavour: str, ran: Ran, limit: float = DEADLINE) -> None:
    """It ended within its limit and five seconds; the longest is told at the end of the run."""
    count(flavour, f"bounded ends ({'over' if ran.seconds > limit + OVER else 'in time'})")
    assert ran.seconds < limit + OVER, f"{ran.seconds:.1f} s: {ran.stderr}"


def copied(project: str, folder: Path, file: str, code: str) -> Path:
    """A project with `code` in front of one of its version files, or env.py."""
    shutil.copytree(PROJECTS / project, folder / project)
    (path,) = (folder / project / "migrations").rglob(file)
    path.write_text(code + "\n" + path.read_text())
    return folder / project


# --- servers ---------------------------------------------------------------------------------------


@contextmanager
def registered(tenants: Agency, others: Sequence[tuple[str, str]]) -> Iterator[dict[str, object]]:
    """A registry database with the agency's tenants and `others` (name, URL), as settings."""
    registry = tenants.names[-1]
    with tenants.fleet.connect(registry) as connection:
        ask(connection, "CREATE TABLE agencies (id INT AUTO_INCREMENT KEY, name TEXT, url TEXT)")
        rows = [(name, tenants.fleet.url(name)) for name in tenants.names[:-1]]
        for row in [*others, *rows]:
            ask(connection, "INSERT INTO agencies (name, url) VALUES (%s, %s)", *row)
    yield {
        "tenants_url": None,
        "tenants_names": None,
        "tenants_query": "SELECT name, url FROM agencies ORDER BY id",
        "tenants_query_url": tenants.fleet.url(registry),
    }


def test_odd_servers_are_some_unreachable_tenants(agency: Make, server: AnyServer) -> None:
    """Silent ones, other protocols, broken packets, and 96 logins on one silent port: the healthy
    tenants are upgraded in time, each odd one is unreachable, and one login is tried for the 96."""
    tenants = agency("linear", 3, rollout_deadline=LONGER)
    with ExitStack() as stack:
        odd = {kind: stack.enter_context(odd_server(*how)) for kind, how in ODD.items()}
        crowd = stack.enter_context(odd_server(b"", closes=False))
        others = [(kind, f"mysql://u@127.0.0.1:{one.port}/x") for kind, one in odd.items()]
        others += [(f"c{n}", f"mysql://u{n}@127.0.0.1:{crowd.port}/x{n}") for n in range(96)]
        settings = stack.enter_context(registered(tenants, others))

        ran = tenants.run("boot", "--json", boot_on_unreachable="start", **settings)
        tried = crowd.accepted
        listed = tenants.run("lock", "list", **settings)

    assert ran.code == 0, ran.stderr
    outcomes = tenants.outcomes(ran)
    assert {outcomes[name] for name in tenants.names[:-1]} == {"upgraded"}
    assert {outcomes[name] for name, _ in others} == {"unreachable"}
    assert tried <= 3
    in_time(server.flavour, ran, LONGER)
    assert listed.code == 75, listed.stderr
    in_time(server.flavour, listed, LONGER)


def test_a_server_that_is_silent_after_the_login(agency: Make, server: AnyServer) -> None:
    """Its tenants are unreachable, and the others are not kept waiting."""
    tenants = agency("linear", 4, rollout_deadline=LONGER)
    with Proxy(server) as proxy, ExitStack() as stack:
        proxy.plan = lambda query: (Where.BEFORE, lambda _: Fate.SILENCE)
        *healthy, silent, _ = tenants.names
        others = [(silent, proxy.url(tenants.fleet.url(silent)))]
        tenants = Agency(
            type(tenants.fleet)(server, (*healthy, tenants.names[-1])),
            tenants.ebhook,
            tenants.project,
            tenants.settings,
        )
        settings = stack.enter_context(registered(tenants, others))
        ran = tenants.run("boot", "--json", boot_on_unreachable="start", **settings)

    assert ran.code == 0, ran.stderr
    assert tenants.outcomes(ran) == {**dict.fromkeys(healthy, "upgraded"), silent: "unreachable"}
    in_time(server.flavour, ran, LONGER)


@contextmanager
def stopped(server: AnyServer) -> Iterator[None]:
    """The server's process does nothing: its port still accepts."""
    if not isinstance(server, Server):
        pytest.skip("a server that was given is not ours to stop")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("when", ["before the survey", "in a statement"])
def test_a_server_that_is_stopped(agency: Make, server: AnyServer, when: str) -> None:
    """SIGSTOP of a real server: the boot ends in time (75), and the next one does the work."""
    tenants = agency("slow", 2, EBHOOK_TEST_SLOW=1.5)
    if when == "before the survey":
        with stopped(server):
            ran = tenants.run("boot", "--json")
    else:
        boot = tenants.start("boot", "--json")
        boot.await_event("RevisionStarted", revision="a002")
        with stopped(server):
            ran = boot.end()

    assert ran.code == 75, ran.stderr
    in_time(server.flavour, ran)
    later = tenants.run("boot", EBHOOK_TEST_SLOW=0.1, rollout_deadline=60, connect_timeout=10)
    assert later.code == 0, later.stderr
    assert tenants.versions() == {"a003"}
    assert tenants.lock_rows() == []


def test_a_network_that_freezes_at_each_phase(site: Site, blows: Blows) -> None:
    """At the login's end, the lock, a statement, a commit, the version: each is ended in time, and the
    next boot goes on from there."""
    moments = [Point(number) for number in (1, 2, 4, 8, 12, 16, 24, 32)]
    points = site.tenants([*moments, *blows(0.05, at_least=2)])
    names = list(points)
    site.strike(points, lambda query: Fate.SILENCE)
    quick = {"EBHOOK_ROLLOUT_DEADLINE": "8", "EBHOOK_ROLLOUT_GRACE": "0.5"}
    quick |= {"EBHOOK_CONNECT_TIMEOUT": "1", "EBHOOK_DDL_WAIT_TIMEOUT": "5"}
    ran = site.run("boot", names=names, EBHOOK_ROLLOUT_WORKERS=str(len(names)), **quick)

    assert ran.code == 75, ran.stdout
    in_time(site.server.flavour, ran, 8.0)
    site.count("frozen network: tenants in flight", len(site.reached))
    site.recover(names, EBHOOK_ROLLOUT_WORKERS=str(len(names)))


# --- processes that do not end ---------------------------------------------------------------------


@pytest.mark.parametrize("signals", [0, 1, 2])
def test_a_migration_in_python_that_does_not_end(
    agency: Make, server: AnyServer, tmp_path: Path, signals: int
) -> None:
    """Ended at the deadline, after a signal's grace, or at once by the second signal: 75, no process
    stays, and the next boot goes on."""
    project = copied("linear", tmp_path, "a002*.py", "import os, time")
    (path,) = (project / "migrations").rglob("a002*.py")
    wait = "def upgrade():\n    time.sleep(float(os.environ.get('SLEEP', '0')))\n"
    path.write_text(path.read_text().replace("def upgrade():\n", wait))
    deadline = LONGER if not signals else 60.0
    grace = 0.5 if signals < 2 else 60.0
    tenants = agency(project, 1, rollout_deadline=deadline, rollout_grace=grace)
    boot = tenants.start("boot", "--json", SLEEP=600)
    boot.await_event("RevisionStarted", revision="a002")
    began = time.monotonic()
    for _ in range(signals):
        boot.process.terminate()
        boot.await_event("Stopping")
    ran = boot.end()

    assert ran.code == 75, ran.stderr
    assert "the worker process was ended" in ran.stderr
    if signals:
        count(server.flavour, "bounded ends (in time)")
        assert time.monotonic() - began < OVER + 0.5
    else:
        in_time(server.flavour, ran, LONGER)
    assert tenants.run("boot", rollout_deadline=60).code == 0
    assert tenants.lock_rows() == []


def test_a_statement_ends_at_the_deadline_and_its_grace(agency: Make, server: AnyServer) -> None:
    """What runs past it is ended by the server, the lock is free, and 75 says to go on."""
    tenants = agency("slow_ddl", 1, EBHOOK_TEST_SLOW=100)
    (name,) = tenants.names
    ran = tenants.run("boot", "--json")

    assert ran.code == 75, ran.stderr
    in_time(server.flavour, ran)
    with server.connect() as person:
        until(lambda: not running(person, name, "SLEEP("), "the statement is ended", 5)
    assert tenants.lock_rows() == []


@pytest.mark.parametrize("file", ["a001*.py", "env.py"])
@pytest.mark.parametrize("signals", [0, 1])
def test_what_does_not_end_while_it_is_loaded(
    agency: Make, server: AnyServer, tmp_path: Path, file: str, signals: int
) -> None:
    """A version file, or env.py in its rehearsal: no tenant is begun, 75."""
    mark = tmp_path / "is being loaded"
    hang = f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(600)"
    project = copied("linear", tmp_path, file, hang)
    tenants = agency(project, 1, rollout_deadline=DEADLINE if not signals else 60.0)
    boot = tenants.start("boot", "--json")
    boot.await_event("SurveyDone")
    if signals:
        until(mark.exists, "it is being loaded")
        boot.process.terminate()
    ran = boot.end()

    assert ran.code == 75, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"skipped"}
    assert "while the migrations were loaded" in ran.stderr
    in_time(server.flavour, ran)


def test_a_signal_while_a_silent_server_is_read(agency: Make, server: AnyServer) -> None:
    """The survey is not waited for."""
    with odd_server(b"", closes=False) as silent:
        url = f"mysql://u@127.0.0.1:{silent.port}/{{tenant}}"
        tenants = agency("linear", 1, tenants_url=url, rollout_deadline=600, connect_timeout=100)
        boot = tenants.start("boot")
        until(lambda: silent.accepted, "it is read")
        began = time.monotonic()
        boot.process.terminate()
        ran = boot.end()

    assert ran.code == 75, ran.stderr
    assert time.monotonic() - began < OVER


def test_threads_that_hold_a_lock_while_workers_are_forked(
    agency: Make, server: AnyServer, tmp_path: Path
) -> None:
    """The application's thread has the lock of logging, for good: no fork ends, and the boot does."""
    code = (
        "import logging, threading\n"
        "def hold():\n"
        "    logging._acquireLock() if hasattr(logging, '_acquireLock') else logging._lock.acquire()\n"
        "    threading.Event().wait()\n"
        "threading.Thread(target=hold, daemon=True).start()"
    )
    tenants = agency(copied("linear", tmp_path, "a001*.py", code), 1)
    ran = tenants.run("boot", "--json")

    assert ran.code == 75, ran.stderr
    in_time(server.flavour, ran)


# --- what the operating system refuses -------------------------------------------------------------


def test_output_that_nobody_reads(agency: Make, server: AnyServer) -> None:
    """Both streams are pipes that are full, the log is a named pipe without a reader: the work is
    done, and the exit code says so."""
    tenants = agency("prints", 2, rollout_deadline=30)
    fifo = tenants.ebhook.folder / "log"
    os.mkfifo(fifo)
    ends = [os.pipe() for _ in range(2)]
    for _, writer in ends:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writer, b"x" * 4096)
    process = subprocess.Popen(
        [sys.executable, "-m", "ebhook", "boot", "--json", "--log-file", str(fifo)],
        cwd=tenants.project,
        env=clean_environment() | tenants.env(),
        stdin=subprocess.DEVNULL,
        stdout=ends[0][1],
        stderr=ends[1][1],
    )
    try:
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        for end in [end for pair in ends for end in pair]:
            os.close(end)
    assert len(tenants.versions()) == 1
    assert None not in tenants.versions()


def test_a_fork_that_is_refused_is_one_tenants_matter(
    agency: Make, server: AnyServer, tmp_path: Path
) -> None:
    """Twice there is no process to be had: that tenant says so, is tried again, and is done."""
    code = (
        "import errno, os\n"
        "_fork, _calls = os.fork, []\n"
        "def fork():\n"
        "    _calls.append(1)\n"
        "    if len(_calls) in (2, 3):\n"
        "        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))\n"
        "    return _fork()\n"
        "os.fork = fork"
    )
    (tmp_path / "sitecustomize.py").write_text(code)  # of the process that forks the workers
    tenants = agency("linear", 3, rollout_deadline=60, PYTHONPATH=tmp_path)
    ran = tenants.run("boot", "--json")

    assert ran.code == 0, ran.stderr
    assert "no worker could be started: Resource temporarily unavailable" in ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"upgraded"}


@pytest.mark.parametrize("descriptors", [5, 8, 12, 16])
def test_descriptors_that_are_used_up(agency: Make, server: AnyServer, descriptors: int) -> None:
    """Too few to go on with: 75 and the reason, never a defect of ebhook's."""
    tenants = agency("linear", 4, rollout_workers=4, rollout_canary="", rollout_deadline=30)
    limit = (
        f"import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors},) * 2)"
    )
    run = "runpy.run_module('ebhook', run_name='__main__', alter_sys=True)"
    done = subprocess.run(
        [sys.executable, "-c", f"import ebhook.commands.boot, sys; {limit}; {run}", "boot"],
        cwd=tenants.project,
        env=clean_environment() | tenants.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=45,
    )

    assert done.returncode in (0, 75), done.stderr
    assert "ebhook itself failed" not in done.stderr
    assert done.returncode == 0 or "oo many open files" in done.stderr, done.stderr


@pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGHUP])
def test_signals_that_the_parent_ignores(
    agency: Make, server: AnyServer, number: signal.Signals
) -> None:
    """SIGCHLD ignored hides no process's end; SIGHUP ignored (nohup) stays so, also while tenants are
    upgraded."""
    tenants = agency("slow", 1, EBHOOK_TEST_SLOW=0.5, rollout_deadline=60)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        boot = tenants.start("boot", "--json")
    finally:
        signal.signal(number, before)
    if number is signal.SIGHUP:
        boot.await_event("RevisionStarted", revision="a002")
        os.kill(boot.process.pid, number)
    ran = boot.end()

    assert ran.code == 0, ran.stderr
    assert tenants.versions() == {"a003"}


def test_a_boot_that_is_killed_leaves_no_process(agency: Make, server: AnyServer) -> None:
    """kill -9 at any moment of its start: the processes that it has begun are gone with it."""
    tenants = agency("linear", 1, rollout_deadline=60)
    mark = secrets.token_hex(8)
    for tenth in range(8):
        boot = tenants.start("boot", EBHOOK_TEST_MARK=mark)
        time.sleep(0.15 * tenth)
        boot.process.kill()
        boot.process.wait()
        until(lambda: not marked(mark), "no process is left", OVER)
    count(server.flavour, "kill -9 of boot at its start", 8)
