"""Statements that are not tried, each kind with its reason."""

from __future__ import annotations

import re

# Reason → what a statement of that kind has in it; in quotes and comments, too, to be on the safe side.
EXCLUDED = {
    "changes the whole server, on which other probes run": (
        r"^\s*(?:SHUTDOWN|RESTART|KILL|INSTALL|UNINSTALL|CLONE|BACKUP|IMPORT)\b"
        r"|\b(?:GLOBAL|PERSIST(?:_ONLY)?)\s+[\w.]+\s*:?=|@@(?:GLOBAL|PERSIST\w*)\.\w+\s*:?="
        r"|\bLOCK\s+INSTANCE\b|\bALTER\s+INSTANCE\b|^\s*RESET\b|^\s*PURGE\b|\bREAD\s+LOCK\b"
        r"|^\s*(?:CREATE|ALTER|DROP)\s+(?:UNDO\s+)?(?:TABLESPACE|LOGFILE|SERVER|RESOURCE|SPATIAL\s+REFERENCE)\b"
        r"|^\s*FLUSH\b|^\s*SET\s+RESOURCE\b|\bFOR\s+EXPORT\b|\bCACHE\s+INDEX\b|\bLOAD\s+INDEX\b"
    ),
    "users, roles and grants are the server's, not a database's": (
        r"^\s*(?:GRANT|REVOKE)\b|\b(?:USER|ROLE)S?\s+(?:IF\s|'|\w+@|`|@)|\bSET\s+(?:DEFAULT\s+)?(?:ROLE|PASSWORD)\b"
        r"|^\s*(?:CREATE|DROP|ALTER|RENAME)\s+(?:OR\s+REPLACE\s+)?(?:USER|ROLE)\b|\bDEFINER\s*=\s*(?!CURRENT_USER|root)"
    ),
    "replication and distributed transactions are the server's": (
        r"^\s*(?:CHANGE|START\s+(?:ALL\s+)?(?:SLAVE|REPLICA|GROUP)|STOP|XA|BINLOG)\b|\bSQL_LOG_BIN\b|\bGTID_\w+"
        r"|\bBINLOG_\w+|\bSERVER_ID\b|\bMASTER_\w+|\bSOURCE_POS\w*"
    ),
    "files beside the database": (
        r"\b(?:OUTFILE|DUMPFILE|INFILE|LOAD_FILE)\b|\b(?:DATA|INDEX)\s+DIRECTORY\b|\bTABLESPACE\b|\bSONAME\b"
        r"|\bMYSQLTEST_VARDIR\b|\bENGINE\s*=?\s*'?(?:FEDERATED\w*|CONNECT|SPIDER|S3|EXAMPLE|NDB\w*|ROCKSDB"
        r"|TOKUDB|ARCHIVE|CSV|MRG_MYISAM|MERGE|SPHINX|OQGRAPH|MROONGA|SEQUENCE)\b"
    ),
    "another database than the probe's own": (
        r"^\s*USE\b|\b(?:DATABASE|SCHEMA)S?\s+(?:IF\s|[`\w])|\b`?(?:test\w*|mysql\w*|sys|performance_schema|db_?\w*)`?\s*\.\s*[`\w*]"
    ),
    "another value at each run, or at each place": (
        r"\b(?:NOW|SYSDATE|CURDATE|CURTIME|UTC_\w+|UNIX_TIMESTAMP|LOCALTIME\w*|RAND\w*|UUID\w*|CONNECTION_ID"
        r"|SESSION_USER|SYSTEM_USER|DATABASE|SCHEMA|VERSION|LAST_QUERY_COST|PS_\w+|SYS_GUID|ENCRYPT)\s*\(|\bCURRENT_\w+"
        r"|\bTIMESTAMP\b|\b@@\w*(?:host|port|datadir|basedir|tmpdir|version|timestamp|pseudo)\w*"
        r"|\bEVENT\b|\bSYSTEM\s+VERSIONING\b|\bSHOW\s+PROCESSLIST\b|^\s*ANALYZE\b"
    ),
    "takes long, or needs a server built for debugging": (
        r"\b(?:SLEEP|BENCHMARK|GET_LOCK|WAIT_\w+)\s*\(|\bDEBUG\w*\b|\bWITH\s+RECURSIVE\b|\bSEQ_\d+_TO\w*"
    ),
    "the session's connection itself": (
        r"\b(?:AUTOCOMMIT|WAIT_TIMEOUT|LOCK_WAIT_TIMEOUT|NET_\w+|MAX_ALLOWED_PACKET|INTERACTIVE_TIMEOUT|MAX_\w*EXECUTION_TIME"
        r"|MAX_STATEMENT_TIME|SESSION_TRACK\w*|PROFIL\w+)\b"
    ),
    "variables of the test program": r"\$\w",
    "op.execute reads it in another way": r"\\:",
    "a client's own command": r"^\s*(?:delimiter|source|\\)",
}

_PATTERNS = {why: re.compile(pattern, re.I | re.M) for why, pattern in EXCLUDED.items()}
LONGEST = 4000  # characters


def reason(statement: str) -> str | None:
    """Why this statement is not tried; None: it is."""
    if len(statement) > LONGEST:
        return "too long to read"
    if not re.match(r"[\s(]*[A-Za-z/]", statement):
        return "a client's own command"
    return next((why for why, pattern in _PATTERNS.items() if pattern.search(statement)), None)
