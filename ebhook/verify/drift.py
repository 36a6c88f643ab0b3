"""Models against the schema that the chain makes: what one has and the other has not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.operations import ops

from ebhook.authoring.additive import describe, is_ghost
from ebhook.authoring.generate import compose, ebhooks_own
from ebhook.database.connection import Connection
from ebhook.drift.snapshot import Snapshot
from ebhook.errors import EbhookError
from ebhook.tenant import Tenant
from ebhook.upgrade.engine_handover import GivenConnection
from ebhook.upgrade.project import Project

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_SAME_CHARSET = {"utf8": "utf8mb3"}
_TABLE_OPTIONS = {
    "mysql_default_charset": "DEFAULT CHARSET",
    "mysql_charset": "DEFAULT CHARSET",
    "mysql_default_character_set": "DEFAULT CHARSET",
    "mysql_collate": "COLLATE",
    "mysql_engine": "ENGINE",
}


class Side(StrEnum):
    """Which of the two has more."""

    MODELS = "in the models, not in the chain"
    CHAIN = "in the chain, not in the models"
    BOTH = "in both, and not the same"


@dataclass(frozen=True)
class Drift:
    side: Side
    what: str


def models_against(
    project: Project, tenant: Tenant, connection: Connection, snapshot: Snapshot
) -> list[Drift] | None:
    """How the models differ from a database at head; None when env.py names no models.

    env.py's own options hold (include_object and the rest); server defaults are compared, too.
    """
    found: list[Drift] | None = None

    def compare(at: Any, context: MigrationContext) -> list[Any]:
        nonlocal found
        metadata = context.opts.get("target_metadata")
        if metadata is None:
            return []
        compose(context.opts, ebhooks_own(project.settings), lambda _: None)
        if context.opts.get("compare_server_default") in (None, False):
            context.opts["compare_server_default"] = True
            context._user_compare_server_default = True
        scripts = [produce_migrations(context, metadata)]
        context.opts["process_revision_directives"](context, at, scripts)
        proposed = (op for script in scripts for op in _each(*script.upgrade_ops_list))
        found = _folded([_drift(op) for op in proposed if not is_ghost(op)])
        tables = metadata if isinstance(metadata, (list, tuple)) else [metadata]
        types = {one.what.partition(": type ")[0] for one in found}
        found.extend(
            one for one in _options(tables, snapshot) if one.what.partition(":")[0] not in types
        )
        return []

    if not project.settings.env_py:
        return None
    engine = sa.create_engine(
        "mysql+pymysql://", creator=lambda: connection, poolclass=sa.pool.StaticPool
    )
    logging.disable(logging.INFO)
    try:
        with engine.connect() as locked:
            project.run(
                GivenConnection(locked),
                tenant.url,
                target=project.chain.head,
                steps=compare,
                on_version_apply=lambda **_: None,
            )
    except EbhookError:
        raise
    except (Exception, SystemExit) as error:  # whatever env.py or a model raises
        raise project.env_failed(error) from None
    finally:
        logging.disable(logging.NOTSET)
    return found


def _drift(op: ops.MigrateOperation) -> Drift:
    words = describe(op)
    first, _, rest = words.partition(" ")
    if first in ("create", "add"):
        return Drift(Side.MODELS, rest)
    if first == "drop":
        return Drift(Side.CHAIN, rest)
    return Drift(Side.BOTH, rest if first == "alter" else words)


def _folded(found: list[Drift]) -> list[Drift]:
    """What is on either side under the same name is in both, and not the same."""
    sides: dict[str, set[Side]] = {}
    for one in found:
        sides.setdefault(one.what, set()).add(one.side)
    folded = [Drift(Side.BOTH, one.what) if len(sides[one.what]) > 1 else one for one in found]
    return list(dict.fromkeys(folded))


def _each(*containers: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    for container in containers:
        for op in container.ops:
            if isinstance(op, ops.OpContainer):
                yield from _each(op)
            else:
                yield op


def _options(metadata: Iterable[sa.MetaData], snapshot: Snapshot) -> Iterator[Drift]:
    """Engine, character set and collation, where a model names them: Alembic does not compare them."""
    for one in metadata:
        for table in one.tables.values():
            there = snapshot.tables.get(table.name)
            if there is None:
                continue
            for option, value in table.kwargs.items():
                name = _TABLE_OPTIONS.get(str(option).lower().replace("mariadb_", "mysql_"))
                if name is None or _same(str(value), there.options.get(name, "")):
                    continue
                actual = there.options.get(name, "none")
                yield Drift(Side.BOTH, f"table {table.name}: {name} {actual} → {value}")
            yield from _collations(table, there.columns)


def _collations(table: sa.Table, columns: Mapping[str, str]) -> Iterator[Drift]:
    for column in table.columns:
        text = columns.get(column.name)
        wanted = getattr(column.type, "collation", None)
        if text is None or wanted is None:
            continue
        # SHOW CREATE TABLE says it only where it is not the table's own.
        actual = next(iter(text.partition(" COLLATE ")[2].split()), None)
        if actual is not None and actual != wanted:
            yield Drift(
                Side.BOTH, f"column {table.name}.{column.name}: COLLATE {actual} → {wanted}"
            )


def _same(wanted: str, actual: str) -> bool:
    wanted, actual = wanted.lower(), actual.lower()
    wanted = _SAME_CHARSET.get(wanted, wanted)
    return wanted.replace("utf8_", "utf8mb3_") == _SAME_CHARSET.get(actual, actual)
