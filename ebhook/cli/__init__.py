"""The command line: words to calls, errors to exit codes. The only exit of the program.

root         the program's own help
options      what every verb takes
completion   what a shell may offer for the next word
fleet        the verbs that look at databases, or change them
authoring    the verbs for whoever writes revisions
machine      the verbs about this application and this machine
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import traceback
from typing import NoReturn

import click

from ebhook.cli import authoring, fleet, machine
from ebhook.cli.command_line import CommandLine
from ebhook.cli.options import COMMON
from ebhook.cli.root import cli
from ebhook.concurrency import shortage_of
from ebhook.errors import (
    EbhookError,
    Exit,
    StateUnknown,
    Stopped,
    Transient,
    TryAgain,
    UsageFailed,
    worst,
)
from ebhook.next_command import Command, ebhook, then
from ebhook.report.stdio import guard_streams, lost

__all__ = ["authoring", "cli", "fleet", "machine", "main"]

# Their exit codes say what became of databases, also when nobody could be told.
_WRITERS = ("boot", "upgrade", "downgrade")


def main() -> None:
    """Runs one command, reports what went wrong in three parts, and exits."""
    guard_streams()
    wants_json = "--json" in sys.argv[1:]
    line = CommandLine()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide how our processes end
    for number in (signal.SIGTERM, signal.SIGHUP):  # the platform's, and a terminal's end
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        code = Exit(cli.main(prog_name="ebhook", standalone_mode=False, obj=line) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = Exit.USAGE
    except click.ClickException as error:
        code = _report(_usage(error), wants_json, line)
    except (click.Abort, KeyboardInterrupt):
        see = then("See: ", ebhook("status"))
        stopped = Stopped("Interrupted.", "No upgrade was under way.", see)
        code = _report(stopped, wants_json, line)
        line.end(code)
        _leave(code)
    except EbhookError as error:
        code = _report(error, wants_json, line)
    except Exception as error:
        code = _report(_shortage(error) or _defect(error), wants_json, line)
    code = _unless_lost(code, line)
    line.end(code)
    if threading.active_count() > 1:  # an interrupted look at many servers
        _leave(code)
    sys.exit(int(code))


def _shortage(error: Exception) -> Transient | None:
    """This machine is out of processes, descriptors or memory: it passes."""
    words = shortage_of(error)
    if words is None:
        return None
    return Transient(
        f"This machine is short of something: {words}.",
        "See above.",
        then("Free some, then look: ", ebhook("status")),
    )


def _defect(error: Exception) -> StateUnknown:
    """A defect of ours: said once, here, with where it is."""
    from ebhook.report.hiding import Hiding

    click.echo(Hiding().text("".join(traceback.format_exception(error))), err=True)
    what = f"ebhook itself failed: {type(error).__name__}."
    return StateUnknown(what, "See above.", then("See: ", ebhook("status")))


def _usage(error: click.ClickException) -> UsageFailed:
    """What click complains of, in our own words where those help more."""
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option in COMMON and context is not None and context.parent is None:
        return UsageFailed(
            f"{option} goes after the command.", next=then("Like: ", _reordered(option))
        )
    help_at = f"See: {context.command_path if context else 'ebhook'} --help"
    return UsageFailed(error.format_message(), next=help_at)


def _reordered(option: str) -> Command:
    """What was typed, with an option of all verbs behind the verb."""
    rest = list(sys.argv[1:])
    place = next(n for n, word in enumerate(rest) if word.partition("=")[0] == option)
    moved = [rest.pop(place)]
    if option != "--json" and "=" not in moved[0]:
        moved.append(rest.pop(place) if place < len(rest) else "FILE")
    verb = rest[0] if rest and rest[0] in cli.commands else "status"
    return ebhook(verb, words=[*rest[1:], *moved])


def _unless_lost(code: Exit, line: CommandLine) -> Exit:
    """`code`, unless the command was to tell something and could not."""
    reason = lost()
    if reason is None:
        return code
    told = TryAgain(
        f"The result could not be written: {reason}.",
        "What the command did is done.",
        f"Run it again when that is mended: {shlex.join(['ebhook', *sys.argv[1:]])}",
    )
    _report(told, False, line)
    return code if sys.argv[1:2] and sys.argv[1] in _WRITERS else worst([code, told.exit_code])


def _leave(code: Exit) -> NoReturn:
    """Ends without waiting for threads that wait for a server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def _broken(text: str) -> str:
    """A text for the terminal, if it is one."""
    from ebhook.report.next_commands import plain
    from ebhook.report.screen import broken, columns

    return plain(broken(text, columns() if sys.stderr.isatty() else None))


def _report(error: EbhookError, wants_json: bool, line: CommandLine) -> Exit:
    for part in (error.what, error.state, line.commands.text(error.next)):
        if part:
            click.echo(_broken(part.strip("\n")), err=True)
    if wants_json or not line.log.has_error:
        from ebhook.report.documents import error_document, print_json

        document = error_document(error, line.commands)
        if not line.log.has_error:
            line.log.write({"event": "Error", **document})
        if wants_json:
            code = int(error.exit_code)
            print_json({"head": None, "exit_code": code, "tenants": [], "error": document})
    return error.exit_code
