"""Releases beside each other on one journal, and a journal that has little room."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebhook.errors import InDoubt, JournalForeign
from tests.conftest import AnyServer
from tests.support.proxy import Where
from tests.support.single_tenant import CREATE_LAST, EMAIL, Clinic

ROOT = Path(__file__).parents[2]
FAILS = "SELECT nothing FROM nowhere"


def test_a_table_of_an_older_shape_is_adopted(clinic: Clinic) -> None:
    """Its half-applied revision is finished, and what it lacks is added."""
    clinic.statements("a002", EMAIL, CREATE_LAST, after="a001")
    clinic.dies(CREATE_LAST, Where.AFTER)
    clinic.do(
        "ALTER TABLE migration_journal DROP COLUMN session, DROP COLUMN origin, DROP COLUMN shape"
    )
    assert "a001" in clinic.cli("history", clinic.name).stdout

    clinic.succeeds()

    assert clinic.columns("migration_journal")[-3:] == ["session", "origin", "shape"]


def test_an_entry_of_a_newer_shape_is_not_resumed(clinic: Clinic) -> None:
    """What this release does not know, it leaves to the one that does."""
    clinic.statements("a002", EMAIL, CREATE_LAST, after="a001")
    clinic.dies(CREATE_LAST, Where.BEFORE)
    clinic.do("UPDATE migration_journal SET shape = 3 WHERE finished_at IS NULL")

    assert "newer release" in clinic.fails(JournalForeign).what


@pytest.mark.parametrize("first", ["older", "newer"])
def test_a_bundle_with_the_release_before_goes_on(
    clinic: Clinic, tmp_path: Path, first: str
) -> None:
    """Deployments roll, and bundles roll back: what one release half applied, another finishes."""
    archive = subprocess.run(
        ["git", "archive", "HEAD~1", "ebhook"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip("this checkout has no commit before its own")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as release:
        release.extractall(tmp_path / "before", filter="data")
    with_release = {"older": {"PYTHONPATH": str(tmp_path / "before")}, "newer": {}}
    last = "newer" if first == "older" else "older"
    env = clinic.env()
    clinic.statements("a002", EMAIL, "UPDATE clients SET n = n + 1", FAILS, after="a001")
    began = clinic.ebhook("upgrade", cwd=clinic.folder, env=env | with_release[first])
    clinic.statements("a002", EMAIL, "UPDATE clients SET n = n + 1", CREATE_LAST, after="a001")

    ended = clinic.ebhook("upgrade", cwd=clinic.folder, env=env | with_release[last])

    assert (began.code, ended.code) == (2, 0), (began, ended)
    assert set(clinic.ask("SELECT n FROM clients")) <= {(1,), (2,)}
    assert clinic.half() is None


@pytest.fixture
def small_packets(server: AnyServer) -> Iterator[None]:
    """A server that takes statements of one megabyte."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        ((before,),) = cursor.fetchall()
        cursor.execute("SET GLOBAL max_allowed_packet = 1048576")
        yield
        cursor.execute(f"SET GLOBAL max_allowed_packet = {before}")


@pytest.mark.usefixtures("small_packets")
def test_a_long_statement_is_asked_about_and_finished(clinic: Clinic) -> None:
    """The journal keeps it shortened, and knows it again by its digest; its rows went with the session."""
    clinic.do(
        "CREATE TABLE texts (t LONGTEXT)",
        "CREATE PROCEDURE store(t LONGTEXT) INSERT INTO texts VALUES (t)",
    )
    clinic.revision(
        "a002",
        """
        op.execute("CALL store('" + "'' \\\\\\\\" * 120000 + "')")
        op.execute("CREATE TABLE last (id INT)")
        """,
        after="a001",
    )
    clinic.dies("CALL store", Where.AFTER)
    clinic.fails(InDoubt)
    assert clinic.cli("resolve", clinic.name, "--not-applied").code == 0

    clinic.succeeds()

    assert clinic.ask("SELECT COUNT(*), MIN(LENGTH(t)) FROM texts") == [(1, 360000)]


@pytest.mark.usefixtures("small_packets")
def test_long_rows_are_read_again(clinic: Clinic) -> None:
    """What the journal has no room for is not kept as nothing."""
    clinic.revision(
        "a002",
        """
        bind = op.get_bind()
        read = bind.exec_driver_sql("SELECT REPEAT('\\"', 400000)").scalar()
        changed = bind.exec_driver_sql("UPDATE clients SET n = n + 1").rowcount
        op.execute("CREATE TABLE last (id INT)")
        op.execute(f"INSERT INTO last VALUES ({len(read) + changed})")
        """,
        after="a001",
    )
    clinic.dies(CREATE_LAST, Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT id FROM last") == [(400003,)]
