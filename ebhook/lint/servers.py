"""What a server of some version can do: the versions that ``lint.server`` knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

# What SQLAlchemy's lists, which only have to be safe for quoting, lack or have too many of: asked of
# real servers, word by word.
_MORE = {
    "mysql": frozenset({"external", "library", "tablesample"}),
    "mariadb": frozenset({"portion", "delete_domain_id"}),
}
_NOT_MYSQL = frozenset({
    "admin", "array", "general", "get_master_public_key", "ignore_server_ids", "master_bind",
    "master_heartbeat_period", "master_ssl_verify_server_cert", "member", "parallel",
    "parse_gcol_expr", "persist", "persist_only", "role", "slow", "sql_after_gtids",
    "sql_before_gtids",
})  # fmt: skip
_NOT_MARIADB = frozenset({
    "body", "database", "elsif", "general", "goto", "history", "ignore_server_ids",
    "master_heartbeat_period", "option", "others", "package", "period", "position", "raise",
    "rowtype", "schema", "slow", "system", "system_time", "versioning", "window", "without",
})  # fmt: skip


@dataclass(frozen=True)
class ServerVersion:
    """``parse("mysql-8.0")``. MySQL 8.0 means 8.0.29 or newer, as RDS and Aurora have it."""

    flavour: str
    version: tuple[int, int]

    def __str__(self) -> str:
        name = "MariaDB" if self.is_mariadb else "MySQL"
        return f"{name} {'.'.join(map(str, self.version))}"

    @property
    def is_mariadb(self) -> bool:
        return self.flavour == "mariadb"

    @property
    def banner(self) -> str:
        """What SELECT VERSION() would say."""
        patch = 40 if self.version == (8, 0) else 5
        text = ".".join(map(str, (*self.version, patch)))
        return f"{text}-MariaDB" if self.is_mariadb else text

    @property
    def row_versions(self) -> int | None:
        """How many INSTANT column additions a table takes before it has to be rebuilt."""
        if self.is_mariadb:
            return None
        return 255 if self.version >= (9, 1) else 64

    @property
    def inline_keys(self) -> bool:
        """Does REFERENCES in a column's definition make a foreign key? MySQL before 9.0 ignores it."""
        return self.is_mariadb or self.version >= (9, 0)

    @cached_property
    def reserved(self) -> frozenset[str]:
        """The words that need backticks as names, now or in the flavour's newest, in lower case."""
        from sqlalchemy.dialects.mysql import reserved_words

        words = (
            reserved_words.RESERVED_WORDS_MARIADB
            if self.is_mariadb
            else reserved_words.RESERVED_WORDS_MYSQL
        )
        return (frozenset(words) | _MORE[self.flavour]) - (
            _NOT_MARIADB if self.is_mariadb else _NOT_MYSQL
        )


def parse(name: str) -> ServerVersion:
    flavour, _, version = name.partition("-")
    major, minor = version.split(".")
    return ServerVersion(flavour, (int(major), int(minor)))
