"""What is wrong from outside: said in three parts, with the right exit code, and nothing is changed.

Each refusal is asked for twice, as text and with ``--json``, and the databases are compared before
and after. No text may show the password.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest

from ebhook.database.connection import quoted
from ebhook.scratch.installation import Flavour
from tests.conftest import AnyServer, Ebhook, Fleet, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.snapshot import snapshot
from tests.support.watching import ask

PASSWORD = "hunter2secret"

Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency(2)``: so many empty tenants of the project `linear`, whose head is a005."""

    def make(count: int, project: str = "linear") -> Agency:
        return Agency(fleet(count), ebhook, PROJECTS / project)

    return make


@contextmanager
def login(
    server: AnyServer, password: str, databases: Sequence[str], limit: int = 0
) -> Iterator[str]:
    """A user who may do everything in some databases, and have `limit` connections (0: any)."""
    user = f"u{secrets.token_hex(4)}"
    with server.connect() as connection:
        ask(
            connection,
            f"CREATE USER {user}@'%%' IDENTIFIED BY %s WITH MAX_USER_CONNECTIONS {limit}",
            password,
        )
        try:
            for database in databases:
                ask(connection, f"GRANT ALL ON {quoted(database)}.* TO {user}@'%'")
            yield user
        finally:
            ask(connection, f"DROP USER {user}@'%'")


def url_as(fleet: Fleet, user: str, password: str) -> str:
    """The fleet's URL template for another login; `password` as it shall stand there."""
    host = f"{fleet.server.host}:{fleet.server.port}"
    return f"mysql+pymysql://{user}:{password}@{host}/{{tenant}}?charset=utf8mb4"


def refusal(
    tenants: Agency, *arguments: str, code: int, secret: str = PASSWORD, **settings: Any
) -> tuple[str, dict[str, Any]]:
    """Runs a command that must fail, as text and as JSON; what people read, and the document.

    The three parts are each on a line, the exit codes agree, nothing was changed.
    """
    before = snapshot(tenants.fleet.server, tenants.names)

    plain = tenants.run(*arguments, **settings)
    programs = tenants.run(*arguments, "--json", **settings)

    assert (plain.code, programs.code) == (code, code), plain.stderr + programs.stderr
    for ran in (plain, programs):
        assert "Traceback" not in ran.stdout + ran.stderr
        assert secret not in ran.stdout + ran.stderr
        assert quote(secret, safe="") not in ran.stdout + ran.stderr
    assert snapshot(tenants.fleet.server, tenants.names) == before
    return plain.stderr + plain.stdout, programs.json()


def refused_as_a_whole(*arguments: Any, **settings: Any) -> tuple[str, str, str]:
    """The three parts of a run that was refused before any tenant had an outcome of its own."""
    text, document = refusal(*arguments, **settings)
    assert document["exit_code"] == settings["code"]
    assert document["tenants"] == []
    error = document["error"]
    assert error["exit_code"] == settings["code"]
    parts = (error["what"], error["state"], error["next"])
    assert all(parts)
    assert "\n".join(part.strip() for part in parts) in text.replace("\n\n", "\n")
    return parts


def refused_by_tenant(
    tenants: Agency, *arguments: Any, **settings: Any
) -> tuple[list[str], dict[str, str]]:
    """The problems as people read them, of three lines each; and the outcome of each tenant."""
    text, document = refusal(tenants, *arguments, **settings)
    assert document["exit_code"] == settings["code"]
    outcomes = {tenant["tenant"]: tenant["outcome"] for tenant in document["tenants"]}
    assert list(outcomes) == list(tenants.names)
    blocks = [block for block in text.split("\n\n") if "\n  " in block]
    assert all(len(block.split("\n  ")) == 3 for block in blocks), blocks
    bad = {t["tenant"] for t in document["tenants"] if t["error"] is not None}
    assert bad
    for name in bad:
        assert any(name in block for block in blocks)
    return blocks, outcomes


def at_head(tenants: Agency, *names: str) -> None:
    ran = tenants.run("upgrade", *names)
    assert ran.code == 0, ran.stderr


# --- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["boot", "upgrade", "status", "lock list"])
def test_no_settings(agency: Make, command: str) -> None:
    """Nothing says which databases there are: 78, and what to set."""
    what, state, next = refused_as_a_whole(
        agency(1), *command.split(), code=78, tenants_url=None, tenants_names=None
    )

    assert what.startswith("No tenants are set: ")
    assert "ebhook.toml has none" in what
    assert state == "No database was contacted."
    assert "EBHOOK_TENANTS_URL" in next


def test_settings_with_problems(agency: Make) -> None:
    """All of them at once, each with its key and where it came from; the password is not shown."""
    tenants = agency(1)

    what, _, next = refused_as_a_whole(
        tenants,
        "boot",
        code=78,
        tenants_url=f"mysql://app:{PASSWORD}@h:port/{{tenant}}",
        lock_wait="soon",
        rollout_worker=3,
    )

    assert "tenants.url (from environment EBHOOK_TENANTS_URL): has a port" in what
    assert "lock.wait (from environment EBHOOK_LOCK_WAIT): must be a number of seconds" in what
    assert "EBHOOK_ROLLOUT_WORKER: is no setting; did you mean EBHOOK_ROLLOUT_WORKERS?" in what
    assert next.endswith("ebhook config")


# --- servers and logins ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["boot", "upgrade", "upgrade --dry-run"])
def test_wrong_password(agency: Make, command: str) -> None:
    """A person has to mend it: 2. The server's own words, told once for all tenants."""
    tenants = agency(2)
    with login(tenants.fleet.server, "another", tenants.names) as user:
        url = url_as(tenants.fleet, user, PASSWORD)
        before = snapshot(tenants.fleet.server, tenants.names)
        plain = tenants.run(*command.split(), tenants_url=url)
        programs = tenants.run(*command.split(), "--json", tenants_url=url)

    assert plain.code == programs.code == 2
    assert PASSWORD not in plain.stdout + plain.stderr + programs.stdout + programs.stderr
    assert "Access denied" in plain.stderr
    assert "(1045)" in plain.stderr
    if "dry" not in command:
        assert plain.stdout.count("Access denied") == 1
    assert {tenant["outcome"] for tenant in programs.json()["tenants"]} == {"refused"}
    assert snapshot(tenants.fleet.server, tenants.names) == before


def test_unknown_database(agency: Make) -> None:
    """Only the tenant that is not there is refused; the others are looked at."""
    tenants = agency(2)
    at_head(tenants)
    with tenants.fleet.server.connect() as connection:
        ask(connection, f"DROP DATABASE `{tenants.names[0]}`")

    blocks, outcomes = refused_by_tenant(tenants, "boot", code=2)

    assert list(outcomes.values()) == ["refused", "at_head"]
    assert f"There is no database '{tenants.names[0]}'" in blocks[0]
    assert "(1049)" in blocks[0]


@pytest.mark.parametrize("command", ["boot", "upgrade"])
@pytest.mark.parametrize("host", ["127.0.0.1:{closed}", "no-such-host.invalid:3306"])
def test_unreachable_host(agency: Make, host: str, command: str) -> None:
    """It may pass by itself: 75. Host and port are named, and how to look again."""
    tenants = agency(2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        address = host.format(closed=probe.getsockname()[1])
        blocks, outcomes = refused_by_tenant(
            tenants,
            command,
            code=75,
            connect_timeout=1,
            tenants_url=f"mysql://app:{PASSWORD}@{address}/{{tenant}}",
        )

    assert set(outcomes.values()) == {"unreachable"}
    (block,) = blocks  # one server that is away is one problem
    assert f"{address} cannot be reached" in block
    assert all(name in block for name in tenants.names)


def test_server_that_only_accepts(agency: Make) -> None:
    """Something listens and never says a word: the time-out ends it, as unreachable."""
    tenants = agency(1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        _, outcomes = refused_by_tenant(
            tenants,
            "boot",
            code=75,
            connect_timeout=1,
            tenants_url=f"mysql://app:{PASSWORD}@127.0.0.1:{port}/{{tenant}}",
        )

    assert set(outcomes.values()) == {"unreachable"}


@contextmanager
def read_only(server: AnyServer, variable: str) -> Iterator[None]:
    with server.connect() as connection:
        ask(connection, f"SET GLOBAL {variable} = 1")
        try:
            yield
        finally:
            ask(connection, "SET GLOBAL read_only = 0")  # switches super_read_only off, too


@pytest.mark.parametrize("strict", [False, True])
def test_read_only_server(agency: Make, server: AnyServer, strict: bool) -> None:
    """A replica, or a writer after a fail-over: tried until the deadline, then 75, and what to do.
    Tenants at head are fine."""
    # MariaDB has one such variable, which holds for everybody who was not given a way around it.
    variable = "super_read_only" if strict and server.flavour is Flavour.MYSQL else "read_only"
    tenants = agency(3)
    at_head(tenants, tenants.names[0])
    with login(server, PASSWORD, tenants.names) as user, read_only(server, variable):
        blocks, outcomes = refused_by_tenant(
            tenants,
            "boot",
            code=75,
            tenants_url=url_as(tenants.fleet, user, PASSWORD),
            rollout_deadline=4,
        )

    assert list(outcomes.values()) == ["at_head", "unreachable", "unreachable"]
    (block,) = blocks
    assert "is read-only" in block
    assert "(1290)" in block
    assert "Point the tenants' URL at the writer" in block


def test_fail_over_that_ends_in_time(agency: Make, server: AnyServer) -> None:
    """The server takes writes again before the deadline: the same boot goes on, and is done."""
    tenants = agency(2)
    with login(server, PASSWORD, tenants.names) as user:
        url = url_as(tenants.fleet, user, PASSWORD)
        with read_only(server, "read_only"):
            boot = tenants.start("boot", "--json", tenants_url=url)
            boot.await_event("PutBack")
        ran = boot.end()

    assert ran.code == 0, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"upgraded"}


def test_read_only_server_with_all_at_head(agency: Make, server: AnyServer) -> None:
    """A boot that has nothing to do writes nothing, so it needs no writer."""
    tenants = agency(2)
    at_head(tenants)
    with login(server, PASSWORD, tenants.names) as user, read_only(server, "read_only"):
        ran = tenants.run("boot", tenants_url=url_as(tenants.fleet, user, PASSWORD))

    assert ran.code == 0, ran.stderr


def test_user_without_privileges(agency: Make, server: AnyServer) -> None:
    """May read and not write: 2, with the server's own words for what is missing."""
    tenants = agency(1)
    with login(server, PASSWORD, []) as user, server.connect() as connection:
        ask(connection, f"GRANT SELECT ON `{tenants.names[0]}`.* TO {user}@'%'")
        blocks, outcomes = refused_by_tenant(
            tenants, "boot", code=2, tenants_url=url_as(tenants.fleet, user, PASSWORD)
        )

    assert set(outcomes.values()) == {"refused"}
    assert "(1142)" in blocks[0]
    assert "privileges" in blocks[0]


def test_user_with_too_many_connections(agency: Make, server: AnyServer) -> None:
    """The user's own limit is reached: 75, it may pass."""
    tenants = agency(2)
    with (
        login(server, PASSWORD, tenants.names, limit=1) as user,
        server.connect(user=user, password=PASSWORD),
    ):
        blocks, outcomes = refused_by_tenant(
            tenants,
            "boot",
            code=75,
            connect_timeout=1,
            tenants_url=url_as(tenants.fleet, user, PASSWORD),
        )

    assert set(outcomes.values()) == {"unreachable"}
    assert "takes no more connections" in blocks[0]
    assert "(1226)" in blocks[0]


def test_server_with_too_many_connections(agency: Make, server: AnyServer) -> None:
    """The server is full: 75, with the server's own number."""
    tenants = agency(1)
    with (
        login(server, PASSWORD, tenants.names) as user,
        server.connect() as connection,
        ExitStack() as crowd,
    ):
        (before,) = ask(connection, "SELECT @@GLOBAL.max_connections")
        ask(connection, "SET GLOBAL max_connections = 10")
        crowd.callback(ask, connection, f"SET GLOBAL max_connections = {before[0]}")
        with suppress(pymysql.err.OperationalError):
            while True:  # the last one is refused: the server is full
                crowd.enter_context(server.connect(user=user, password=PASSWORD))
        plain = tenants.run(
            "boot", connect_timeout=1, tenants_url=url_as(tenants.fleet, user, PASSWORD)
        )

    assert plain.code == 75
    assert "takes no more connections" in plain.stdout
    assert "(1040)" in plain.stdout
    assert PASSWORD not in plain.stdout + plain.stderr


def test_too_many_connections_for_env_py(agency: Make, server: AnyServer) -> None:
    """An env.py opens a connection of its own; where there is no room for it, it may pass: 75."""
    tenants = agency(1)
    with login(server, PASSWORD, tenants.names, limit=1) as user:
        ran = tenants.run(
            "boot", connect_timeout=1, tenants_url=url_as(tenants.fleet, user, PASSWORD)
        )

    assert ran.code in (0, 75), ran.stdout + ran.stderr


# --- the chain and env.py --------------------------------------------------------------------------

BROKEN = {
    "two_heads": ("has 2 heads", "ebhook merge -m"),
    "missing_parent": ("its down_revision 'a002' is in no file", "Was a file left out"),
    "duplicate_id": ("Two files have the revision id 'a002'", "another id"),
    "syntax_error": ("line 19: cannot be read: '(' was never closed", "Mend the file"),
    "cycle": ("goes in a circle: a002, a003", "Mend a down_revision"),
}
LOOK = "Look at the chain: ebhook chain"


@pytest.mark.parametrize(
    ("project", "command"),
    [*((project, "boot") for project in BROKEN), ("two_heads", "status"), ("cycle", "upgrade")],
)
def test_broken_chains(agency: Make, project: str, command: str) -> None:
    """65, before any database is touched: files and revisions are named, and what to do; whoever only
    looks is told where to look."""
    what, state, next = refused_as_a_whole(agency(1, project), *command.split(), code=65)

    assert BROKEN[project][0] in what
    assert state == "No database was touched."
    assert next == LOOK if command == "status" else BROKEN[project][1] in next


@pytest.mark.parametrize("project", ["two_heads", "syntax_error"])
def test_locks_are_seen_and_cleared_with_a_broken_chain(agency: Make, project: str) -> None:
    """Whoever has to clear a lock at night does not have to mend a chain first."""
    tenants = agency(1, project)
    (name,) = tenants.names
    tenants.ask(name, "CREATE TABLE migration_lock (id INT, holder VARCHAR(50))")
    tenants.ask(name, "INSERT INTO migration_lock VALUES (1, 'Eve')")

    listed = tenants.run("lock", "list")
    cleared = tenants.run("lock", "clear", name)

    assert (listed.code, cleared.code) == (0, 0), listed.stderr + cleared.stderr
    assert "Eve" in listed.stdout
    assert "cleared" in cleared.stdout
    assert tenants.lock_rows() == []


def test_env_py_that_raises(agency: Make) -> None:
    """65: the error's own words and the line in env.py; no tenant is touched."""
    what, state, next = refused_as_a_whole(agency(2, "env_raises"), "boot", code=65)

    assert "env.py failed: RuntimeError: SECRET_KEY is not set" in what
    assert "line 3" in what
    assert state
    assert "ebhook upgrade" in next


def copied(tenants: Agency, folder: Path) -> Agency:
    """The same tenants, with a copy of their project that may be changed."""
    shutil.copytree(tenants.project, folder / "project")
    return Agency(tenants.fleet, tenants.ebhook, folder / "project")


@pytest.mark.parametrize(
    "statement",
    [
        'raise RuntimeError("no " + context.config.get_main_option("sqlalchemy.url"))',
        'raise RuntimeError(str(context.config.get_section("alembic")))',
        'raise SystemExit("no " + context.config.get_main_option("sqlalchemy.url"))',
    ],
)
def test_env_py_that_tells_its_url(agency: Make, tmp_path: Path, statement: str) -> None:
    """The password is taken out of whatever an env.py says, however it is spelled there."""
    tenants = copied(agency(1), tmp_path)
    (tenants.project / "migrations" / "env.py").write_text(
        f"from alembic import context\n{statement}\n"
    )
    password = "p@ss:w/ord%41#"
    with login(tenants.fleet.server, password, tenants.names) as user:
        text, _ = refusal(
            tenants,
            "boot",
            code=65,
            secret=password,
            tenants_url=url_as(tenants.fleet, user, quote(password, safe="")),
        )

    assert "ss:w" not in text
    assert "ss%3Aw" not in text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("from alembic import context\n", "configure"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("def (\n", "env.py"),
    ],
)
def test_env_py_that_does_nothing_useful(
    agency: Make, tmp_path: Path, text: str, complaint: str
) -> None:
    """An env.py that configures nothing, imports what is not there, or is no Python: 65."""
    tenants = copied(agency(1), tmp_path)
    (tenants.project / "migrations" / "env.py").write_text(text)

    what, _, _ = refused_as_a_whole(tenants, "boot", code=65)

    assert "env.py" in what
    assert complaint in what


def test_migrations_folder_that_is_not_there(agency: Make) -> None:
    """65, with the path that was looked at and the setting that names it."""
    what, _, next = refused_as_a_whole(agency(1), "boot", code=65, migrations="elsewhere")

    assert "linear/elsewhere is not a folder" in what
    assert "EBHOOK_MIGRATIONS" in next


def test_flask_application_that_is_not_there(agency: Make) -> None:
    """78: it is a setting that names it."""
    what, _, next = refused_as_a_whole(
        agency(1, "flask_migrate"), "boot", code=78, flask_app="nowhere:app"
    )

    assert "'nowhere:app'" in what
    assert "EBHOOK_FLASK_APP" in next


# --- names of tenants ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["upgrade", "acne"],
        ["upgrade", "acne", "--dry-run"],
        ["status", "acne"],
        ["downgrade", "acne", "-1", "--yes"],
        ["lock", "list", "acne"],
        ["lock", "clear", "acne"],
    ],
    ids=" ".join,
)
def test_unknown_tenant(agency: Make, arguments: list[str]) -> None:
    """64: a name that is in no list, with how to see the list."""
    tenants = agency(2)
    what, state, next = refused_as_a_whole(tenants, *arguments, code=64)

    assert what.startswith("There is no tenant 'acne'.")
    assert state == "Nothing was changed."
    assert next == "See which there are: ebhook status"


def test_unknown_tenant_among_known_ones(agency: Make) -> None:
    """One wrong name, and none of the others is touched either; the nearest name is offered."""
    tenants = agency(2)
    wrong = tenants.names[1][:-1]

    what, _, _ = refused_as_a_whole(tenants, "upgrade", tenants.names[0], wrong, code=64)

    assert what == f"There is no tenant '{wrong}'. Did you mean '{tenants.names[1]}'?"


ODD = ["o'hara", 'say "hi"', "back`tick", "a b c", "100%", "%s %(x)s", "semi;colon", "söhne", "{t}"]


@pytest.fixture
def oddly_named(server: AnyServer, ebhook: Ebhook) -> Iterator[Agency]:
    """A tenant for each odd name."""
    run = secrets.token_hex(3)
    names = tuple(f"{name}_{run}" for name in ODD)
    with server.connect() as connection:
        try:
            for name in names:
                ask(connection, f"CREATE DATABASE {quoted(name)}")
            yield Agency(Fleet(server, names), ebhook, PROJECTS / "linear")
        finally:
            for name in names:
                ask(connection, f"DROP DATABASE IF EXISTS {quoted(name)}")


def test_odd_names_work(oddly_named: Agency) -> None:
    """Quotes, backticks, blanks, percent signs: upgraded, seen, locked and cleared like any other."""
    tenants = oddly_named

    booted = tenants.run("boot", "--json")

    assert booted.code == 0, booted.stderr
    assert set(tenants.outcomes(booted).values()) == {"upgraded"}
    assert tenants.versions() == {"a005"}
    again = tenants.run("boot")
    assert again.code == 0, again.stderr
    for name in tenants.names:
        row = "INSERT INTO migration_lock (id, holder) VALUES (1, 'Eve')"
        tenants.ask(name, row)
    listed = tenants.run("lock", "list", "--json")
    assert [lock["tenant"] for lock in listed.json()["locks"]] == list(tenants.names)
    status = tenants.run("status", *tenants.names[:3], "--json")
    assert {t["lock"]["holder"] for t in status.json()["tenants"]} == {"Eve"}
    cleared = tenants.run("lock", "clear", *tenants.names)
    assert cleared.code == 0, cleared.stdout
    assert tenants.lock_rows() == []


@pytest.mark.parametrize("percent", [False, True])
def test_odd_names_go_on_and_back(oddly_named: Agency, percent: bool) -> None:
    """A second upgrade and a downgrade find what the first one left."""
    tenants = oddly_named
    names = [name for name in tenants.names if ("%" in name) == percent]

    first = tenants.run("upgrade", *names, "--to", "a002")
    second = tenants.run("upgrade", *names)
    back = tenants.run("downgrade", names[-1], "-1", "--yes")

    assert [ran.code for ran in (first, second, back)] == [0, 0, 0], second.stderr + back.stderr
    assert [tenants.version(name) for name in names] == ["a005"] * (len(names) - 1) + ["a004"]


@pytest.mark.parametrize("name", ["acme😀", "x" * 65], ids=["emoji", "long"])
def test_names_that_mysql_cannot_have(agency: Make, name: str) -> None:
    """Emoji, and more than 64 characters: refused before any tenant is touched, saying what may be."""
    tenants = agency(1)
    what, state, next = refused_as_a_whole(
        tenants, "boot", code=78, tenants_names=f"{tenants.names[0]},{name}"
    )

    assert f"{name!r}: MySQL cannot have a database {name!r}" in what
    assert tenants.names[0] not in what
    assert state == "No tenant was touched."
    assert "ebhook config" in next


# --- passwords -------------------------------------------------------------------------------------

HARD = ["p@:/%#?&=+ x", 'it\'s "q" \\ `b`', "%41{tenant}"]


@pytest.mark.parametrize("password", HARD)
def test_hard_passwords_work(agency: Make, password: str) -> None:
    """Percent-encoded in the URL, every character does, also for an env.py that connects itself."""
    tenants = agency(1)
    with login(tenants.fleet.server, password, tenants.names) as user:
        ran = tenants.run("boot", tenants_url=url_as(tenants.fleet, user, quote(password, safe="")))

    assert ran.code == 0, ran.stdout + ran.stderr
    assert tenants.versions() == {"a005"}


@pytest.mark.parametrize("password", ["a@b", "a:b/%#?"])
def test_hard_passwords_as_they_are(agency: Make, password: str) -> None:
    """Not encoded: what can only be read in one way works, and an @ is refused without showing it."""
    tenants = agency(1)
    with login(tenants.fleet.server, password, tenants.names) as user:
        ran = tenants.run("status", tenants_url=url_as(tenants.fleet, user, password))

    if "@" in password:
        assert ran.code == 78
        assert "write the one in the password as %40" in ran.stderr
        assert password not in ran.stderr + ran.stdout
    else:
        assert ran.code == 1, ran.stdout + ran.stderr  # behind, and so it was read


@pytest.mark.parametrize("password", ["pässwörd", "пароль-пароль", "geheim😀geheim"])
def test_passwords_beyond_ascii(agency: Make, password: str) -> None:
    """They work, or are refused in three parts; they are never shown."""
    tenants = agency(1)
    with login(tenants.fleet.server, password, tenants.names) as user:
        ran = tenants.run("boot", tenants_url=url_as(tenants.fleet, user, quote(password, safe="")))

    assert ran.code in (0, 2)
    assert password not in ran.stdout + ran.stderr
    if ran.code:
        assert tenants.versions() == {None}
        assert "password" in ran.stdout + ran.stderr


def test_coupled_database_with_a_hard_password(agency: Make) -> None:
    """RDS_PASSWORD needs no encoding: it is no URL."""
    tenants = agency(1)
    password = "p@:/%#?&"
    server = tenants.fleet.server
    with login(server, password, tenants.names) as user:
        ran = tenants.run(
            "boot",
            tenants_url=None,
            tenants_names=None,
            RDS_HOSTNAME=server.host,
            RDS_PORT=server.port,
            RDS_DB_NAME=tenants.names[0],
            RDS_USERNAME=user,
            RDS_PASSWORD=password,
        )

    assert ran.code == 0, ran.stderr
    assert tenants.versions() == {"a005"}


# --- character sets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "charset",
    ["latin1", "utf16", "utf8mb4 COLLATE utf8mb4_turkish_ci"],
)
def test_databases_in_another_charset(agency: Make, charset: str) -> None:
    """Upgraded, journalled and read back in whatever character set a database has."""
    tenants = agency(1)
    (name,) = tenants.names
    tenants.ask(name, f"ALTER DATABASE `{name}` CHARACTER SET {charset}")

    ran = tenants.run("boot", holder="häuptling")
    status = tenants.run("status", "--json")
    history = tenants.run("history", name)

    assert ran.code == 0, ran.stdout + ran.stderr
    (tenant,) = status.json()["tenants"]
    assert (tenant["state"], tenant["revision"], tenant["edited"]) == ("at_head", "a005", [])
    assert "häuptling" in history.stdout


# --- texts with percent signs ----------------------------------------------------------------------


def test_percent_signs_in_statements(agency: Make, tmp_path: Path) -> None:
    """A migration's own text reaches the server as it was written, and as Alembic would run it."""
    tenants = copied(agency(1), tmp_path)
    (name,) = tenants.names
    versions = tenants.project / "migrations" / "versions"
    for file in versions.glob("a00[2-5]*.py"):
        file.unlink()
    (versions / "a002_percent.py").write_text(
        '"""JMS-2 percent"""\n'
        "from alembic import op\n"
        "revision = 'a002'\ndown_revision = 'a001'\n"
        "def upgrade():\n"
        "    op.execute(\"INSERT INTO clients (id, name) VALUES (1, '10% off')\")\n"
        "    op.execute(\"UPDATE clients SET name = CONCAT(name, ' %s') WHERE name LIKE '10%'\")\n"
        "def downgrade(): pass\n"
    )

    dry = tenants.run("upgrade", "--dry-run")
    ran = tenants.run("upgrade")

    assert ran.code == 0, ran.stderr
    assert tenants.ask(name, "SELECT name FROM clients") == [("10% off %s",)]
    assert "VALUES (1, '10% off');" in dry.stdout
