"""The servers' own regression tests, as the distribution packages them, and the statements in them.

A test is written for the server's test program: SQL, each statement up to a delimiter, between that
program's own commands. Only plain SQL of the first connection is taken; whatever depends on a
variable, a loop, another file or another connection of the test program is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ebhook.errors import ScratchFailed
from ebhook.scratch.installation import Flavour, cache_locked
from ebhook.scratch.packages import fetch_archive

PACKAGES = {Flavour.MYSQL: "mysql-testsuite", Flavour.MARIADB: "mariadb-test-data"}

# Parts of the tests that need a second server, a plugin, a cluster or a build for debugging, and
# those that only read what the server says about itself.
OTHER_SUBJECTS = re.compile(
    r"/(?:group_replication|rpl\w*|ndb\w*|binlog\w*|galera\w*|wsrep|clone|router|x|mariabackup|plugin"
    r"|federated|thread_pool\w*|component_\w*|test_service\w*|multi_source|s3|secondary_engine"
    r"|multi_factor_authentication|perfschema\w*|sysschema|sys_vars|opt_trace|auth_sec|audit_null"
    r"|service_\w*|stress|large_tests|network_namespace|connection_control|encryption|roles"
    r"|lock_order|interactive_utilities|optimizer_unfixed_bugs|client|mtr2?|innodb_stress)/"
)


@dataclass(frozen=True)
class Corpus:
    """All the tests of one flavour, under `folder`; `names` are their paths, sorted."""

    folder: Path
    names: tuple[str, ...]

    def statements(self, name: str) -> list[str]:
        """The statements of a test, in its order; none of one that is not UTF-8."""
        try:
            text = (self.folder / name).read_text("utf-8")
        except UnicodeDecodeError:
            return []
        return list(statements(text))


def corpus(flavour: Flavour) -> Corpus:
    """The tests of a flavour's server, fetched first where the machine does not have them.

    Raises `ScratchFailed` where they cannot be had.
    """
    package = PACKAGES[flavour]
    with cache_locked() as servers:
        place = servers.parent / "regression-tests" / flavour
        if not place.is_dir():
            place.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent) as folder:
                archive = fetch_archive(flavour, package, Path(folder))
                part = Path(folder) / "part"
                part.mkdir()
                _unpack_tests(archive, part)
                part.rename(place)
    names = sorted(str(path.relative_to(place)) for path in place.rglob("*.test"))
    wanted = tuple(name for name in names if not OTHER_SUBJECTS.search(f"/{name}"))
    if not wanted:
        shutil.rmtree(place)
        raise ScratchFailed(f"{package} has no tests.", next="Try again.")
    return Corpus(place, wanted)


def _unpack_tests(archive: Path, into: Path) -> None:
    """The test files alone: the package of MySQL's is 750 MB."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE
    ) as tar:
        subprocess.run(
            ["tar", "-x", "-C", str(into), "--wildcards", "*.test"], stdin=tar.stdout, check=True
        )


# Words that begin a command of the test program. `--` before any word does, too.
_COMMANDS = frozenset(
    [
        "append_file",
        "assert",
        "cat_file",
        "change_user",
        "character_set",
        "chmod",
        "connect",
        "connection",
        "copy_file",
        "copy_files_wildcard",
        "dec",
        "delimiter",
        "diff_files",
        "die",
        "dirty_close",
        "disable_abort_on_error",
        "disable_async_client",
        "disable_connect_log",
        "disable_info",
        "disable_metadata",
        "disable_parsing",
        "disable_ps_protocol",
        "disable_query_log",
        "disable_reconnect",
        "disable_result_log",
        "disable_session_track_info",
        "disable_testcase",
        "disable_warnings",
        "disconnect",
        "echo",
        "enable_abort_on_error",
        "enable_async_client",
        "enable_connect_log",
        "enable_info",
        "enable_metadata",
        "enable_parsing",
        "enable_ps_protocol",
        "enable_query_log",
        "enable_reconnect",
        "enable_result_log",
        "enable_session_track_info",
        "enable_testcase",
        "enable_warnings",
        "error",
        "eval",
        "exec",
        "execw",
        "exit",
        "expr",
        "file_exists",
        "force_cpdir",
        "force_rmdir",
        "horizontal_results",
        "if",
        "inc",
        "let",
        "list_files",
        "mkdir",
        "move_file",
        "output",
        "perl",
        "ping",
        "query",
        "query_attributes",
        "query_get_value",
        "query_horizontal",
        "query_vertical",
        "reap",
        "remove_file",
        "remove_files_wildcard",
        "replace_column",
        "replace_numeric_round",
        "replace_regex",
        "replace_result",
        "reset_connection",
        "result_format",
        "rmdir",
        "save_master_pos",
        "send",
        "send_eval",
        "send_quit",
        "send_shutdown",
        "shutdown_server",
        "skip",
        "skip_if_hypergraph",
        "sleep",
        "real_sleep",
        "sorted_result",
        "partially_sorted_result",
        "source",
        "start_timer",
        "sync_slave_with_master",
        "sync_with_master",
        "system",
        "vertical_results",
        "wait_for_slave_to_stop",
        "while",
        "write_file",
        "evalp",
        "lowercase_result",
        "enable_cursor_protocol",
        "disable_cursor_protocol",
        "enable_ps2_protocol",
        "disable_ps2_protocol",
        "enable_view_protocol",
        "disable_view_protocol",
        "enable_prepare_warnings",
        "disable_prepare_warnings",
        "optimizer_trace",
        "require",
    ]
)
_HEREDOCS = {"perl": "EOF", "write_file": "EOF", "append_file": "EOF"}
# What a delimiter may stand in without ending the statement.
_QUOTED = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`]|``)*`"


def statements(text: str) -> Iterator[str]:
    """The statements of a test's text, those in blocks and of other connections left out."""
    at, depth, delimiter, skipping, first = 0, 0, ";", False, True
    while at < len(text):
        line_end = text.find("\n", at)
        line_end = len(text) if line_end < 0 else line_end
        line = text[at:line_end].strip()
        if not line or line.startswith("#"):
            at = line_end + 1
            continue
        if line.startswith("}"):
            depth = max(0, depth - 1)
            at = text.index("}", at) + 1
            continue
        dashed = line.startswith("--")
        word = (re.match(r"(?:--\s*)?(\w+)", line) or [""])[0].lstrip("- ").lower()
        if word == "delimiter":
            old = delimiter
            delimiter = line.split(None, 1)[1].strip() if " " in line else ";"
            if not dashed and delimiter != old and delimiter.endswith(old):
                delimiter = delimiter.removesuffix(old).strip()
            at = line_end + 1
            continue
        if word in ("disable_parsing", "enable_parsing"):
            skipping = word == "disable_parsing"
            at = line_end + 1
            continue
        if word in _HEREDOCS:
            closing = re.search(r"\(?[^\n]*?(\w+)\s*;?\s*$", line) if " " in line else None
            end = _HEREDOCS[word]
            if closing and closing[1].isupper():
                end = closing[1]
            found = re.compile(rf"^{end}\s*$", re.M).search(text, line_end)
            at = found.end() if found else len(text)
            continue
        if word == "connection":
            first = bool(re.search(r"connection\s+default\b", line))
        if word == "connect":
            first = False
        if dashed:
            at = line_end + 1
            continue
        if word in ("if", "while"):
            brace = text.find("{", at)
            depth += 1
            at = len(text) if brace < 0 else brace + 1
            continue
        statement, at = _until(text, at, delimiter)
        if word in _COMMANDS or depth or skipping or not first:
            continue
        if statement:
            yield statement


def _until(text: str, at: int, delimiter: str) -> tuple[str, int]:
    """The statement that begins at `at`, without comment lines of the test, and where it ends."""
    pattern = re.compile(
        rf"{_QUOTED}|/\*.*?\*/|^[ \t]*#[^\n]*\n|{re.escape(delimiter)}", re.S | re.M
    )
    parts, begin = [], at
    for found in pattern.finditer(text, at):
        if found[0] == delimiter:
            parts.append(text[begin : found.start()])
            return "".join(parts).strip(), found.end()
        if found[0].lstrip().startswith("#"):
            parts.append(text[begin : found.start()])
            begin = found.end()
    return "", len(text)
