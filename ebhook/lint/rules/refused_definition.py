"""EBH104: a definition that the server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn, ModifyColumn
from ebhook.lint.changes.keys import AddIndex, DropConstraint
from ebhook.lint.changes.tables import Convert, CreateTable, SetOption
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.schema import sizes
from ebhook.lint.schema.schema import TEXTS, Column, Index, Part, Table
from ebhook.lint.servers import ServerVersion
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH104", "a definition that the server refuses")

_CHARSETS = frozenset({
    "armscii8", "ascii", "big5", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852",
    "cp866", "cp932", "dec8", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek",
    "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7", "macce",
    "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32", "utf8",
    "utf8mb3", "utf8mb4", "default",
})  # fmt: skip
_NUMBERS = frozenset({
    "tinyint", "smallint", "mediumint", "int", "bigint", "float", "double",
})  # fmt: skip
Problem = tuple[int, str, str]  # number, words, what to write instead


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        for number, words, instead in _problems(done, subject.server):
            yield subject.finding(
                RULE,
                done,
                f"{words}. The statement fails ({number}) in every agency.",
                example=instead,
            )


def _problems(done: Done, server: ServerVersion) -> Iterator[Problem]:
    change = done.change
    match change:
        case CreateTable() if change.made.whole:
            made = change.made
            for column in made.columns:
                yield from _column(column, made, server)
            yield from _auto_increment(made)
            for index in made.indexes:
                yield from _index(index, made)
            options = made.options
            yield from _charset(options.get("charset"), options.get("collate"), server)
        case AddColumn() | ModifyColumn():
            table = done.before.at_hand(change.table)
            yield from _column(change.column, table, server)
            if change.column.auto_increment and table.whole:
                after = done.before
                for one in done.step.changes:
                    after = one.apply(after)
                yield from _auto_increment(after.at_hand(change.table))
        case AddIndex():
            yield from _index(change.index, done.before.at_hand(change.table))
        case SetOption(name="charset" | "collate"):
            options = {
                one.name: one.value for one in done.step.changes if isinstance(one, SetOption)
            }
            if change.name == ("charset" if "charset" in options else "collate"):
                yield from _charset(options.get("charset"), options.get("collate"), server)
        case DropConstraint() if server.is_mariadb and change.clause.split()[1:2] == ["CHECK"]:
            words = "MariaDB has no DROP CHECK"
            yield 1064, words, f"ALTER TABLE {change.table} DROP CONSTRAINT {change.name}"
        case Convert():
            yield from _charset(change.charset, change.collation, server)


def _column(column: Column, table: Table, server: ServerVersion) -> Iterator[Problem]:
    kind, name = column.type, f"{table.name}.{column.name}"
    numbers = [int(one) for one in kind.arguments if one.isdigit()]
    if kind.name in ("enum", "set"):
        exact = (kind.collation or table.options.get("collate", "")).endswith("_bin")
        listed = [one if exact else one.lower() for one in kind.arguments]
        twice = next((one for one in listed if listed.count(one) > 1), None)
        if twice is not None:
            yield 1291, f"{name} has the value {twice} twice", f"# {twice} once"
    elif kind.name in ("decimal", "float", "double") and len(numbers) == 2:
        most = 38 if server.is_mariadb else 30
        if numbers[0] < numbers[1]:
            words = (
                f"{name} is to have {numbers[1]} digits behind the point, of {numbers[0]} in all"
            )
            yield 1427, words, f"sa.Numeric({numbers[0] + numbers[1]}, {numbers[1]})"
        elif kind.name == "decimal" and numbers[0] > 65:
            yield (
                1426,
                f"{name} is to have {numbers[0]} digits; 65 is the most",
                "sa.Numeric(65, 2)",
            )
        elif kind.name == "decimal" and numbers[1] > most:
            words = f"{name} is to have {numbers[1]} digits behind the point; {most} is the most"
            yield 1425, words, f"sa.Numeric({numbers[0]}, {most})"
    elif kind.name in ("datetime", "timestamp", "time") and numbers and numbers[0] > 6:
        words = f"{name} is to have {numbers[0]} digits of a second; 6 is the most"
        yield 1426, words, "mysql.DATETIME(fsp=6)"
    elif kind.name == "char" and numbers and numbers[0] > 255:
        yield 1074, f"{name} is a CHAR of {numbers[0]}; 255 is the most", f"sa.String({numbers[0]})"
    elif kind.name == "varchar" and numbers:
        most = 65535 // sizes.width(column, table)
        if numbers[0] > most:
            yield 1074, f"{name} is a VARCHAR of {numbers[0]}; {most} is the most", "sa.Text()"
    if column.auto_increment and kind.name not in _NUMBERS:
        yield 1063, f"{name} is AUTO_INCREMENT, and a {kind}", "sa.Integer(), autoincrement=True"
    yield from _charset(kind.charset, kind.collation, server)


def _auto_increment(table: Table) -> Iterator[Problem]:
    columns = [one for one in table.columns if one.auto_increment]
    if len(columns) > 1:
        names = " and ".join(one.name for one in columns)
        yield 1075, f"{table.name} has two AUTO_INCREMENT columns, {names}", "# one of them"
        return
    primary = Index("PRIMARY", tuple(Part(one) for one in table.primary))
    for one in columns:
        keys = (primary, *table.indexes)
        if not any(index.columns[:1] == (one.name.lower(),) for index in keys):
            words = f"{table.name}.{one.name} is AUTO_INCREMENT, and no key begins with it"
            yield 1075, words, f'sa.Column("{one.name}", …, primary_key=True)'


def _index(index: Index, table: Table) -> Iterator[Problem]:
    for part in index.parts:
        column = table.column(part.name)
        if column is None or part.expression or not table.whole:
            continue
        kind, name = column.type, f"{table.name}.{column.name}"
        if part.length is not None:
            lengths = [int(one) for one in kind.arguments if one.isdigit()]
            strings = kind.name in TEXTS - {"enum", "set"} or (
                "b" in kind.name and (kind.name.endswith(("blob", "binary")))
            )
            short = kind.name in ("char", "varchar", "binary", "varbinary") and lengths
            if not strings or (short and part.length > lengths[0]):
                words = f"Index {index.name} has {part.length} characters of {name}, a {kind}"
                yield (
                    1089,
                    words,
                    f'op.create_index("{index.name}", "{table.name}", ["{part.name}"])',
                )
        if index.kind == "fulltext" and kind.name not in TEXTS - {"enum", "set"}:
            words = f"{name} is a {kind}, and cannot be in FULLTEXT index {index.name}"
            yield 1283, words, "# text columns alone"
        if index.kind == "spatial" and column.nullable:
            words = f"{name} may be NULL, and so cannot be in SPATIAL index {index.name}"
            yield 1252, words, f'sa.Column("{column.name}", …, nullable=False)'


def _charset(
    charset: str | None, collation: str | None, server: ServerVersion
) -> Iterator[Problem]:
    if charset and charset not in _CHARSETS:
        yield 1115, f"There is no character set {charset}", "utf8mb4"
        return
    if not collation or collation in ("binary", "default"):
        return
    of = collation.partition("_")[0]
    if collation.startswith("uca1400") and server.is_mariadb:
        return
    newer = server.is_mariadb and server.version < (11, 4) and "_0900_" in collation
    older = not server.is_mariadb and "uca1400" in collation
    shaped = re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*_(ci|cs|ks|bin)", collation)
    if of not in _CHARSETS or newer or older or (shaped is None and "nopad" not in collation):
        yield 1273, f"{server} has no collation {collation}", "utf8mb4_unicode_ci"
    elif charset and {charset, of} not in ({of}, {"utf8", "utf8mb3"}):
        words = f"Collation {collation} is not one of character set {charset}"
        yield 1253, words, f"{charset}_bin"
