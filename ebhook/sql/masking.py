"""Statements as they may be written down: without the passwords that stand in them.

MySQL masks the same ones in its own logs: those of accounts, of replication and of foreign servers.
(MySQL manual, "Passwords and Logging".) What is masked without need does no harm: a statement is
recognised by the hash of its whole text.
"""

from __future__ import annotations

import re

MASK = "'***'"

_STRING = r"""(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|0x[0-9a-f]+|x'[0-9a-f]*')"""
_SECRETS = re.compile(
    rf"""
    (?P<before>
        \bIDENTIFIED \s+ (?:(?:WITH|VIA) \s+ [\w`'"]+ \s+)? (?:BY|AS|USING) \s+ (?:PASSWORD \b \s*)? \(? \s*
      | \bOR \s+ \w+ \s+ (?:USING|AS) \s+ (?:PASSWORD \s* \( \s*)?    # MariaDB: one more way to log in
      | \bREPLACE \s+ (?={_STRING} \s* (?:$|[,;]|RETAIN))             # the current password
      | \b\w*PASSWORD`? \s* (?:=|:=|\() \s*
      | \bPASSWORD \s+
      | \bSET \s+ PASSWORD \s+ FOR \s+ [^=]+ = \s*
    )
    {_STRING}
    """,
    re.X | re.I | re.S,
)
# FEDERATED, CONNECT and SPIDER tables hold the URL of another server.
_URLS = re.compile(r"(?P<before>\w+://[^\s:/@'\"]*:)[^@'\"\s]+(?=@)")


def masked(sql: str) -> str:
    """`sql` with stars in place of the passwords in it; the same text if there are none."""
    if "://" in sql:
        sql = _URLS.sub(r"\g<before>***", sql)
    upper = sql.upper()
    if "PASSWORD" in upper or "IDENTIFIED" in upper:
        sql = _SECRETS.sub(rf"\g<before>{MASK}", sql)
    return sql
