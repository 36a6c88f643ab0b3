"""What the server itself needs: plain PyMySQL, and nothing that a migration tool would add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

from benchmarks.fleet import Fleet
from benchmarks.measure import NotDone

BATCH = 200  # tenants in one query

Work = Callable[[Sequence[str]], None]
Spread = Callable[[Work, Sequence[str], int], None]


def read_all(fleet: Fleet) -> None:
    """Where every tenant stands: one login, and the rows themselves."""
    with fleet.connect() as connection, connection.cursor() as cursor:
        for start in range(0, len(fleet.names), BATCH):
            names = fleet.names[start : start + BATCH]
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT version_num FROM {name}.alembic_version" for name in names
                )
            )
            if len(cursor.fetchall()) != len(names):
                raise NotDone("a tenant has no revision")


def apply(fleet: Fleet, connections: int, spread: Spread) -> None:
    """The newest revisions' own statements and version updates, for every tenant."""

    def work(names: Sequence[str]) -> None:
        with fleet.connect() as connection, connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"USE {name}")
                for revision, statement in fleet.newest:
                    cursor.execute(statement)
                    cursor.execute("UPDATE alembic_version SET version_num = %s", (revision,))
                    connection.commit()

    spread(work, fleet.names, connections)


def by_threads(work: Work, names: Sequence[str], count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, (names[index::count] for index in range(count))))


def by_processes(work: Work, names: Sequence[str], count: int) -> None:
    context = get_context("fork")
    processes = [
        context.Process(target=work, args=(names[index::count],)) for index in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise NotDone("a process that ran plain statements failed")
