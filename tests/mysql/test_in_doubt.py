"""The statement that a crash left open: decided by looking, or asked about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebhook.errors import (
    InDoubt,
    MigrationFailed,
)
from ebhook.journal.in_doubt import atomic_ddl
from ebhook.scratch.installation import Flavour
from tests.conftest import AnyServer
from tests.support.proxy import Where
from tests.support.single_tenant import COUNT, CREATE_LAST, EMAIL, PHONE, Clinic
from tests.support.terminal import on_terminal

# --- in doubt ---------------------------------------------------------------------------------------

BOTH = "CREATE TABLE a (id INT) ; CREATE TABLE b (id INT, x INT)"
ROUTINES = "CREATE PROCEDURE p() UPDATE clients SET n = n + 1"
# Statement → what has to be there before it. The server tells whether each of these happened.
DECIDED = {
    "CREATE TABLE t (id INT)": "",
    "CREATE TABLE t LIKE clients": "",
    "CREATE TABLE IF NOT EXISTS t (id INT)": "",
    "CREATE TABLE t AS SELECT * FROM clients": "",
    "ALTER TABLE clients ADD COLUMN x INT, DROP COLUMN name": "",
    "ALTER TABLE clients RENAME TO customers": "",
    "ALTER TABLE clients ENGINE=InnoDB": "",
    "CREATE INDEX ix ON clients (name)": "",
    "DROP TABLE a": BOTH,
    "RENAME TABLE a TO old, b TO a": BOTH,
    "CREATE VIEW v AS SELECT id FROM clients": "",
    "CREATE OR REPLACE VIEW v AS SELECT id FROM clients": "CREATE VIEW v AS SELECT 1 AS one",
    "ALTER VIEW v AS SELECT id FROM clients": "CREATE VIEW v AS SELECT 1 AS one",
    "DROP VIEW v": "CREATE VIEW v AS SELECT 1 AS one",
    "CREATE TRIGGER t BEFORE INSERT ON clients FOR EACH ROW SET NEW.n = 1": "",
    "CREATE PROCEDURE p() SELECT 1": "",
    "DROP PROCEDURE p": ROUTINES,
    "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1": "",
    "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SET @x = 1": "",
    "ALTER DATABASE CHARACTER SET utf8mb4": "",
    "OPTIMIZE TABLE clients": "",
}
# Of these, running them once more is as good …
AGAIN = {
    "ALTER TABLE clients ENGINE=InnoDB",
    "ALTER VIEW v AS SELECT id FROM clients",
    "ALTER DATABASE CHARACTER SET utf8mb4",
    "OPTIMIZE TABLE clients",
}
PAIR = "CREATE TABLE pair (id INT, a INT, b INT)"
PARTS = (
    "CREATE TABLE parts (id INT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (10)) ; "
    "CREATE TABLE part (id INT)"
)
# … and of these a person is asked when they have been sent, or, as for CALL, even if they have not.
ASKED = {
    "CALL p()": (ROUTINES, {Where.BEFORE, Where.AFTER}),
    "TRUNCATE TABLE clients": ("", {Where.AFTER}),
    "RENAME TABLE a TO c, b TO a, c TO b": (BOTH, {Where.AFTER}),
    "ALTER TABLE pair CHANGE a b INT, CHANGE b a INT AFTER id": (PAIR, {Where.AFTER}),
    "ALTER TABLE pair DROP COLUMN b, ADD COLUMN b INT": (PAIR, {Where.AFTER}),
}
# MariaDB has words of its own.
ASKED_ON_MARIADB = {
    "ALTER TABLE parts NOWAIT EXCHANGE PARTITION p WITH TABLE part": PARTS,
    "ALTER TABLE parts WAIT 5 TRUNCATE PARTITION p": PARTS,
    "CREATE OR REPLACE TABLE pair (id INT, a INT, b INT)": PAIR,
}


@pytest.mark.parametrize(("sql", "setting"), DECIDED.items())
def test_a_definition_in_doubt_is_decided_by_looking(
    clinic: Clinic, sql: str, setting: str
) -> None:
    """Killed just before it, and then just after: the next run knows, and asks nobody.

    Where DDL is not atomic it asks, or runs again what may be run twice: the end is the same.
    """
    if setting:
        clinic.do(*setting.split(" ; "))
    clinic.statements("a002", COUNT, sql, CREATE_LAST, after="a001")

    clinic.dies(sql, Where.BEFORE)
    clinic.dies(sql, Where.AFTER)
    clinic.changes()
    clinic.succeeds()

    repeated = [CREATE_LAST] if sql not in AGAIN else [sql, CREATE_LAST]
    changes = clinic.changes()
    if not atomic_ddl(clinic.fleet.server.version):
        assert changes in ([CREATE_LAST], [sql, CREATE_LAST])
        return
    assert changes == repeated


@pytest.mark.parametrize("where", [Where.BEFORE, Where.AFTER])
@pytest.mark.parametrize(("sql", "setting", "asked"), [(k, *v) for k, v in ASKED.items()])
def test_what_cannot_be_told_is_asked(
    clinic: Clinic, sql: str, setting: str, asked: set[Where], where: Where
) -> None:
    """The question names the statement; the answer is believed, and the rest goes on."""
    if setting:
        clinic.do(*setting.split(" ; "))
    clinic.statements("a002", PHONE, sql, CREATE_LAST, after="a001")
    clinic.dies(sql, where)

    if where in asked:
        error = clinic.fails(InDoubt)
        assert "stopped at statement 2" in error.what
        assert sql in error.what
        said = clinic.cli(
            "resolve", clinic.name, "--applied" if where is Where.AFTER else "--not-applied"
        )
        assert said.code == 0, said.stderr
    clinic.succeeds()

    assert "last" in clinic.tables()
    assert clinic.columns("clients").count("phone") == 1


@pytest.mark.parametrize(("sql", "setting"), ASKED_ON_MARIADB.items())
def test_what_mariadb_cannot_tell_is_asked(
    clinic: Clinic, server: AnyServer, sql: str, setting: str
) -> None:
    """Neither done twice nor left out: rows that came meanwhile stay."""
    if server.flavour is not Flavour.MARIADB:
        return  # it has no such statements
    clinic.do(*setting.split(" ; "))
    clinic.statements("a002", sql, after="a001")
    clinic.dies(sql, Where.AFTER)
    clinic.fails(InDoubt)


def test_resolve_shows_the_statement_and_its_table_then_and_now(clinic: Clinic) -> None:
    """Exit 2 and no change, as long as nobody says which; refused when nothing is in doubt (64)."""
    clinic.do("CREATE TABLE old (id INT) ENGINE=MyISAM")
    clinic.statements("a002", "ALTER TABLE old ADD COLUMN x INT", after="a001")
    assert clinic.cli("resolve", clinic.name).code == 64
    clinic.dies("ALTER TABLE old", Where.AFTER)

    shown = clinic.cli("resolve", clinic.name)
    as_json = clinic.cli("resolve", clinic.name, "--json")

    assert shown.code == as_json.code == 2
    assert "ALTER TABLE old ADD COLUMN x INT" in shown.stdout
    assert "+  `x` int" in shown.stdout
    assert as_json.json()["tenants"][0]["resolved"] is None
    assert clinic.cli("boot").code == 2

    assert clinic.cli("resolve", clinic.name, "--applied").code == 0
    assert clinic.cli("resolve", clinic.name, "--applied").code == 64
    assert clinic.cli("boot").code == 0
    assert clinic.columns("old") == ["id", "x"]
    history = clinic.cli("history", clinic.name).stdout
    assert "statement 1 of a002 counts as applied" in history


def test_a_word_can_be_taken_back_until_the_next_upgrade(clinic: Clinic) -> None:
    """The question is the same again, and the other answer can be given; after an upgrade it is late."""
    clinic.do("CREATE TABLE old (id INT) ENGINE=MyISAM")
    clinic.statements("a002", EMAIL, "ALTER TABLE old ADD COLUMN x INT", after="a001")
    clinic.dies("ALTER TABLE old", Where.AFTER)
    before = clinic.cli("resolve", clinic.name).stdout

    for word in ("--not-applied", "--applied"):
        assert clinic.cli("resolve", clinic.name, "--undo").code == 64
        assert clinic.cli("resolve", clinic.name, word).code == 0
        assert clinic.cli("resolve", clinic.name, "--undo").code == 0
        assert clinic.cli("resolve", clinic.name).stdout == before
        assert clinic.cli("boot").code == 2

    assert clinic.cli("resolve", clinic.name, "--applied").code == 0
    clinic.succeeds()
    assert clinic.columns("old") == ["id", "x"]
    assert clinic.cli("resolve", clinic.name, "--undo").code == 64


def test_resolve_asks_on_a_terminal(clinic: Clinic) -> None:
    """It shows what will be believed; whoever leaves it open changes nothing."""
    clinic.do("CREATE TABLE old (id INT) ENGINE=MyISAM")
    clinic.statements("a002", "ALTER TABLE old ADD COLUMN x INT", after="a001")
    clinic.dies("ALTER TABLE old", Where.AFTER)

    code, said = on_terminal(
        "resolve", clinic.name, types="leave it\n", cwd=clinic.folder, env=clinic.env()
    )
    assert code == 2
    assert "ebhook will believe that it is in the database" in said
    assert "Nothing was changed." in said

    code, said = on_terminal(
        "resolve", clinic.name, types="applied\n", cwd=clinic.folder, env=clinic.env()
    )
    assert code == 0
    assert "counts as applied now" in said
    clinic.succeeds()


def test_resolve_takes_one_word(clinic: Clinic) -> None:
    ran = clinic.cli("resolve", clinic.name, "--applied", "--not-applied")

    assert ran.code == 64
    assert "one of --applied, --not-applied and --undo" in ran.stderr


def test_resolve_refuses_what_is_decided(clinic: Clinic) -> None:
    """A statement whose table tells is not up for an opinion."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.dies(EMAIL, Where.AFTER)

    said = clinic.cli("resolve", clinic.name, "--not-applied")

    assert said.code == 64
    assert "happened" in said.stderr
    clinic.succeeds()


@pytest.mark.parametrize("version", ["5.7.44-log", "10.5.27-MariaDB", "8.0.1"])
def test_another_server_than_before_is_asked_about(clinic: Clinic, version: str) -> None:
    """A dump of an old server, or one without atomic DDL: how things looked there proves nothing."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.dies(EMAIL, Where.AFTER)
    ((id, facts),) = clinic.ask(
        "SELECT id, pending_objects FROM migration_journal WHERE finished_at IS NULL"
    )
    changed = json.dumps(json.loads(facts) | {"server": version})
    clinic.do(
        f"UPDATE migration_journal SET pending_objects = '{_escaped(changed)}' WHERE id = {id}"
    )

    clinic.fails(InDoubt)

    assert clinic.cli("resolve", clinic.name, "--applied").code == 0
    clinic.succeeds()


def test_a_migration_cannot_swallow_the_question(clinic: Clinic) -> None:
    """One that catches everything gets the same answer to every further statement."""
    clinic.revision(
        "a002",
        """
        from contextlib import suppress
        for statement in ["CALL p()", "UPDATE clients SET n = 50", "CREATE TABLE last (id INT)"]:
            with suppress(Exception):
                op.execute(statement)
        """,
        after="a001",
    )
    clinic.do(ROUTINES)
    clinic.dies("CALL p()", Where.AFTER)

    clinic.fails(InDoubt)

    assert "last" not in clinic.tables()
    assert clinic.version() == "a001"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


# --- many new tables ------------------------------------------------------------------------------------

MANY = [f"CREATE TABLE t{number:02} (id INT)" for number in range(30)]


def test_many_new_tables_are_not_looked_at_one_by_one(clinic: Clinic) -> None:
    """After a few, the names of all tables are read once. What is there is looked at as ever."""
    clinic.do("CREATE TABLE T25 (id INT)")
    clinic.statements("a002", *MANY, "ALTER TABLE t29 ADD COLUMN n INT", after="a001")

    clinic.said.clear()
    clinic.succeeds()

    looks = [said.rpartition(".")[2].strip("`") for said in clinic.said if "SHOW CREATE" in said]
    assert looks == [*(f"t{number:02}" for number in range(8)), "t25", "t29"]
    assert sum("SELECT table_name" in said for said in clinic.said) == 1


@pytest.mark.parametrize("where", [Where.BEFORE, Where.AFTER])
def test_a_new_table_that_was_not_looked_at_is_decided(clinic: Clinic, where: Where) -> None:
    clinic.statements("a002", *MANY, after="a001")
    clinic.dies("TABLE t20", where)
    clinic.changes()

    clinic.succeeds()

    assert clinic.changes() == MANY[20 if where is Where.BEFORE else 21 :]


@pytest.mark.parametrize(
    "makes",
    [
        "CREATE TABLE other (id INT)",
        "CREATE TABLE `Other` (id INT)",
        "RENAME TABLE t01 TO other",
        "ALTER TABLE t01 RENAME TO other",
        "CREATE VIEW other AS SELECT 1",
        "CALL make_other()",
    ],
)
def test_a_table_that_has_come_meanwhile_is_looked_at(clinic: Clinic, makes: str) -> None:
    """Whatever made it: once it may be there, its name alone says nothing."""
    clinic.do("CREATE PROCEDURE make_other() CREATE TABLE other (id INT)")
    again = "CREATE TABLE other (id INT, more INT)"
    clinic.statements("a002", *MANY, makes, again, after="a001")

    clinic.said.clear()
    if "`Other`" in makes:  # another table, where case counts
        clinic.succeeds()
    else:
        clinic.fails(MigrationFailed)
        half = clinic.half()
        assert half is not None
        assert half.pending is not None
        assert half.pending.before[0] is not None

    assert f"SHOW CREATE TABLE `{clinic.name}`.`other`" in clinic.said


def test_a_password_in_a_statement_is_kept_nowhere(clinic: Clinic, tmp_path: Path) -> None:
    """Neither in the journal, nor in the question and its answer, nor in the log. The statement is
    recognised all the same, and another password in its place is not the same statement."""
    user = f"u_{clinic.name[-8:]}"
    create = f"CREATE USER {user} IDENTIFIED BY 'hunter2-%s'"
    clinic.statements("a002", EMAIL, create % "one", PHONE, after="a001")
    log = tmp_path / "ebhook.log"
    try:
        clinic.dies("CREATE USER", Where.AFTER)
        kept = str(clinic.ask("SELECT * FROM migration_journal"))
        asked = clinic.cli("boot", "--log-file", str(log))
        shown = clinic.cli("resolve", clinic.name, "--applied", "--log-file", str(log))
        clinic.statements("a002", EMAIL, create % "two", PHONE, after="a001")
        other = clinic.cli("upgrade", "--log-file", str(log))
        clinic.statements("a002", EMAIL, create % "one", PHONE, after="a001")
        done = clinic.cli("upgrade", "--log-file", str(log))
        dry = clinic.cli("status")
    finally:
        clinic.ask(f"DROP USER IF EXISTS {user}")

    assert (asked.code, shown.code, other.code, done.code) == (2, 0, 2, 0), done.stderr
    assert "IDENTIFIED BY '***'" in asked.stdout + asked.stderr
    everything = [kept, log.read_text(), str(clinic.ask("SELECT * FROM migration_journal"))]
    everything += [
        part for ran in (asked, shown, other, done, dry) for part in (ran.stdout, ran.stderr)
    ]
    assert not [text for text in everything if "hunter2" in text]
