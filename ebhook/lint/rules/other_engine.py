"""EBH063: an engine other than InnoDB."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.tables import CreateTable, SetOption
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Subject

RULE = Rule("EBH063", "an engine other than InnoDB")

_KNOWN = frozenset({
    "innodb", "myisam", "memory", "heap", "csv", "archive", "blackhole", "aria", "merge",
    "mrg_myisam", "federated", "sequence", "ndb", "ndbcluster", "rocksdb", "columnstore", "spider",
    "connect", "s3", "example", "tokudb", "mroonga", "oqgraph", "sphinx", "cassandra",
})  # fmt: skip


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        change = done.change
        if isinstance(change, CreateTable):
            engine = change.made.options.get("engine", "innodb")
        elif isinstance(change, SetOption) and change.name == "engine":
            engine = change.value
        else:
            continue
        if engine.lower() == "innodb":
            continue
        fails = " No server knows it (1286)." if engine.lower() not in _KNOWN else ""
        yield subject.finding(
            RULE,
            done,
            f"Table {change.table} is to be of engine {engine}.{fails} Whatever is not InnoDB has no "
            "transactions and no foreign keys, may be half written after a crash, and cannot be "
            "journalled: a revision that fails there cannot be rolled back. Leave the engine out.",
            example="# without ENGINE: InnoDB",
        )
