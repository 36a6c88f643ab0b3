"""The session of one revision: what each statement did to it is kept, and done again on resume.

A run that resumes has a new session. Statements that are in are not run again, so what they did to
theirs is made good here: system variables are set to the values that the server told; temporary tables,
user variables and prepared statements are made by their own statements once more, or they are lost, and
what needs them is refused (`ebhook.journal.session_state`).

Each revision begins in the same session: at its end, all that it has changed is put back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress

from pymysql.err import MySQLError

from ebhook.database.connection import errno, quoted, rows, run, take_change, text_of
from ebhook.database.errno import LOST, Errno
from ebhook.database.session_tracking import NOTHING, UNKNOWN
from ebhook.journal import replies
from ebhook.journal.entry_content import EntryContent
from ebhook.journal.replay import Replay
from ebhook.journal.replies import Place, Reply
from ebhook.journal.session_notes import Note
from ebhook.journal.session_state import SessionState
from ebhook.journal.session_text import (
    Name,
    repeatable_setting,
    sets_only_the_servers,
    unknown_functions,
    variables_in,
)
from ebhook.journal.table import Journal
from ebhook.sql.statement import Kind, locked, plain

Execute = Callable[[], Reply | None]

_SET = re.compile(r"SET\b", re.I)
# All but the assignment of one user variable.
_SETS = re.compile(r"SET\b(?! @(?!@)[^,]*$)", re.I)


class RevisionSession:
    """Runs statements of one revision, and follows what they do to the session."""

    def __init__(self, journal: Journal, replay: Replay, content: EntryContent) -> None:
        self.state = SessionState(journal.database)
        self._journal = journal
        self._replay = replay
        self._content = content
        self._locked: set[str] = set()  # by LOCK TABLES
        self._lock: Execute | None = None  # that statement, while only skipped ones follow it
        self._told: list[str] = []  # statements that changed more than they say, as the server told
        take_change(journal.connection)  # what env.py has set is where each revision begins

    # In this run

    def perform(self, kind: Kind, text: str, execute: Execute, place: Place) -> Reply | None:
        """Runs a statement of the migration's. What it did to the session is kept at `place`."""
        variables = self._journal.variables
        variables.set_due()
        if self._lock is not None and kind is not Kind.SESSION:
            lock, self._lock = self._lock, None
            lock()
        if kind is Kind.OPAQUE or _SETS.match(plain(text)):
            variables.read()
        try:
            reply = execute()
        except MySQLError as error:
            if errno(error) not in LOST:
                self._keep(kind, text, place, error)
            if self.state.all_is_lost and errno(error) in (
                Errno.NO_SUCH_TABLE,
                Errno.UNKNOWN_TABLE,
            ):
                self._replay.refuse_without(f"a temporary table, perhaps ({text_of(error)})")
            raise
        self._keep(kind, text, place, None)
        return reply

    def set_by_driver(self) -> None:
        """What the driver has set is known, and is kept with no statement: it sets it again by itself."""
        self._journal.variables.note(take_change(self._journal.connection))

    def _keep(self, kind: Kind, text: str, place: Place, error: MySQLError | None) -> None:
        connection, own = self._journal.connection, place[1] != 0
        change = self._journal.variables.note(take_change(connection))
        if kind is Kind.OPAQUE and error is not None:
            change = change.then(UNKNOWN)  # how far it came is not told
        if kind is Kind.READ and unknown_functions(text):
            change = change.then(UNKNOWN)  # told with a later statement, or not at all
        says_it = kind is Kind.SESSION or (kind is Kind.DEFINITION and own)
        if change.state and not says_it and repeatable_setting(text) is None:
            self._told.append(text)
        failed = replies.failed(error).error if error is not None and own else None
        if not own or change != NOTHING or failed is not None:
            asked = replies.asked(text) if own else ""
            self._content.add_note(place, Note(change, asked, failed))
        if error is None:
            self.state.ran(kind, text)
            self._follow_locks(text)

    def _follow_locks(self, text: str) -> None:
        """The journal is locked with the migration's tables (`locking_also`). The server ends LOCK
        TABLES when the last of them is dropped."""
        words = plain(text).upper()
        now = locked(text)
        if now is not None:
            self._locked = now
        elif words.startswith(("UNLOCK ", "START ", "BEGIN")):
            self._locked, self._lock = set(), None
        elif self._locked and (gone := {name for _, name in self.state.dropped(text)}):
            self._locked -= gone
            if not self._locked and self._lock is None:
                run(self._journal.connection, "UNLOCK TABLES")
            if not self._locked:
                self._lock = None

    def run_own(
        self, kind: Kind, text: str, execute: Execute, place: Place, *, has_more: bool
    ) -> Reply | None:
        """Runs a statement of the session's own, which is done again in each run, unless it would
        come out otherwise.

        Args:
            has_more: statements are in that the migration issues after this one.
        """
        note = self._replay.note(place, replies.asked(text)) if has_more else None
        if note is not None and note.error is not None:
            self._content.add_note(place, note)
            return Reply(error=note.error)
        is_gone, here = self.state.drops(text)
        if is_gone:
            self._drop(here)
            return Reply()
        if has_more and locked(text) is not None:
            self._lock = execute  # what it locks may be dropped by now
            self._follow_locks(text)
            return Reply()
        told = note is not None and sets_only_the_servers(text)
        if has_more and (told or self.state.varies(kind, text)):
            self._drop(self.state.loses(kind, text))
            if kind is Kind.SESSION and _SET.match(plain(text)) and unknown_functions(text):
                self._drop(self.state.lose_all())
            if note is not None:
                self._repeat(place, note)
            return Reply()
        self._require(self.state.makes_again(kind, text))
        self.perform(kind, text, execute, place)
        return None

    # What is in already

    def skip(self, kind: Kind, text: str, index: int, reply: Reply, execute: Execute) -> None:
        """Statement `index` is in, and gave `reply`."""
        setting = repeatable_setting(text)
        if setting is not None and reply.error is None:
            if not self.state.varies(Kind.SESSION, setting):
                self.perform(Kind.SESSION, setting, execute, (index, 0))
                return
            self.state.loses(Kind.SESSION, setting)
        change = self._replay.change(index, kind)
        self._repeat((index, 0), Note(change))
        if setting is None:
            here = [name for name, there in self.state.tables.items() if there]
            self.state.skips(kind, text, change, failed=reply.error is not None)
            if reply.error is None:
                self._follow_locks(text)
            if kind in (Kind.DATA, Kind.OPAQUE) and (
                change.state or any(self.state.tables.values())
            ):
                self._lose_tables_inside(kind, text)
            self._drop(name for name in here if not self.state.tables.get(name))

    def _lose_tables_inside(self, kind: Kind, text: str) -> None:
        """Temporary tables that routines and triggers have made, or written to: that is not told."""
        bodies = [body for _, body in self._runs_inside(text)]
        calls = re.match(r"CALL ", plain(text), re.I) is not None
        if None in bodies or (kind is Kind.OPAQUE and not (calls and bodies)):
            self.state.lose_tables(lambda name: True)
        else:
            self.state.lose_tables(
                lambda name: any(name[1] in str(body).lower() for body in bodies)
            )
        made = (name for body in bodies if body for name in self.state.made_inside(body))
        self.state.tables |= dict.fromkeys(made, False)

    def skip_read(self, text: str, place: Place) -> None:
        """A read that was answered by the journal."""
        if self.state.varies(Kind.READ, text):
            self.state.loses(Kind.READ, text)
        note = self._replay.note(place, replies.asked(text))
        if note is not None:
            self._repeat(place, note)
            if note.change.state:
                self._drop(self.state.lose_all())

    def _repeat(self, place: Place, note: Note) -> None:
        self._content.add_note(place, note)
        self._journal.variables.assume(note.change.variables)

    def _drop(self, names: Iterable[Name]) -> None:
        """Temporary tables that this session has, and an earlier one had otherwise."""
        for name in names:
            run(self._journal.connection, f"DROP TEMPORARY TABLE IF EXISTS {_quoted(name)}")

    # What is still to be run

    def need(self, kind: Kind, text: str) -> None:
        """Raises `RevisionChanged` if `text` builds on something that an earlier session took along."""
        for name in self.state.drops_beside(text):  # it is gone; the others are dropped as it says
            run(self._journal.connection, f"CREATE TEMPORARY TABLE {_quoted(name)} (lost INT)")
            self.state.tables[name] = True
        if kind is Kind.READ:
            self._require(self.state.makes_again(kind, text))
        else:
            self._require(self.state.missing(text))
        if self.state.lacks_something and (kind is not Kind.DEFINITION):
            self._require(self._missing_inside(text))

    def _require(self, lost: str | None) -> None:
        if lost is not None:
            self._replay.refuse_without(lost)

    def _missing_inside(self, text: str) -> str | None:
        """Something lost that a trigger or a routine builds on which `text` runs."""
        for name, body in self._runs_inside(text):
            lost = self.state.missing_in_body(body) if body is not None else "something"
            if lost is not None:
                return f"{lost} ({name} may use it)"
        return None

    def _runs_inside(self, text: str) -> list[tuple[str, str | None]]:
        """Routines that `text` names and triggers of tables that it names, and what those name in
        turn: the name and the body of each; None for a body that this user may not see."""
        database = self._journal.database
        with self._journal.variables.own():
            known = rows(
                self._journal.connection,
                "SELECT event_object_table, action_statement FROM information_schema.triggers "
                "WHERE trigger_schema = %s UNION ALL SELECT routine_name, routine_definition "
                "FROM information_schema.routines WHERE routine_schema = %s",
                database,
                database,
            )
        todo = {(str(name), None if body is None else str(body)) for name, body in known}
        reached: list[tuple[str, str | None]] = []
        texts = [text]
        while texts:
            text = texts.pop()
            new = {
                one for one in todo if re.search(rf"(?<!\w){re.escape(one[0])}(?!\w)", text, re.I)
            }
            todo -= new
            reached += sorted(new, key=str)
            texts += [body for _, body in new if body is not None]
        return reached

    # The end of the revision

    def end(self) -> None:
        """Puts back what the revision has changed: the next one begins as this one did.

        Raises MySQLError: something cannot be put back.
        """
        connection = self._journal.connection
        self.abandon()
        if self._journal.variables.changed:
            self._journal.variables.restore()
        self._drop(name for name, there in self.state.tables.items() if there)
        made = self.state.named
        if self._told:
            bodies = [body for _, body in self._runs_inside("\n".join(self._told)) if body]
            self._drop(name for body in bodies for name in self.state.made_inside(body))
            made = made.union(self._shown_variables(), *map(variables_in, bodies))
        variables = sorted(name for name in made if name.startswith("@"))
        if variables:
            nulls = ", ".join(f"@{quoted(name[1:])} = NULL" for name in variables)
            run(connection, f"SET {nulls}")
        for name in sorted(made - set(variables)):
            with suppress(MySQLError):  # the migration may have ended it
                run(connection, f"DEALLOCATE PREPARE {quoted(name.rpartition(' ')[2])}")
        if self.state.database != self._journal.database:  # USE: the version is here
            connection.select_db(self._journal.database)
        take_change(connection)

    def abandon(self) -> None:
        """Puts back what ebhook's own statements depend on, as far as that is possible."""
        with suppress(MySQLError):
            self._journal.variables.restore()

    def _shown_variables(self) -> set[str]:
        """The session's user variables, where the server shows them to this user."""
        for sql in (
            "SELECT variable_name FROM performance_schema.user_variables_by_thread "
            "WHERE thread_id = PS_CURRENT_THREAD_ID()",
            "SELECT variable_name FROM information_schema.user_variables",
        ):
            with suppress(MySQLError):
                return {f"@{str(name).lower()}" for (name,) in rows(self._journal.connection, sql)}
        return set()


def _quoted(name: Name) -> str:
    return f"{quoted(name[0])}.{quoted(name[1])}"
