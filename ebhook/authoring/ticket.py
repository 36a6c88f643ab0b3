"""The ticket that begins each revision's message."""

from __future__ import annotations

import re

from ebhook.errors import UsageFailed
from ebhook.settings import Settings


def ticket_of(message: str, settings: Settings) -> str | None:
    """The ticket at the start of a message: ``JMS-1234``; None when it has none."""
    found = re.match(rf"(?:{settings.chain.ticket})(?![\w-])", message)
    return found[0] if found else None


def check_message(message: str, settings: Settings) -> str:
    """The message of a new revision, trimmed. Raises `UsageFailed` without ticket or words."""
    text = " ".join(message.split())
    ticket = ticket_of(text, settings)
    pattern = settings.chain.ticket
    if ticket is None:
        raise UsageFailed(
            f"The message {text!r} does not begin with a ticket ({pattern}).",
            next='Say for which: -m "JMS-1234 add my_new_table" (the pattern is [chain] ticket)',
        )
    if not text[len(ticket) :].strip(" :-"):
        raise UsageFailed(
            f"The message {text!r} is only a ticket.",
            next=f'Say what the revision does: -m "{ticket} add my_new_table"',
        )
    return text
