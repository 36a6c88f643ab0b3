"""What a login's password is kept by, where that is not the URL: it can be read, or made, anew."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ebhook.errors import EbhookError

if TYPE_CHECKING:
    from ebhook.database.url import Url


class Credential(Protocol):
    """Gives a URL its login anew. Two that are equal give the same."""

    @property
    def is_per_login(self) -> bool:
        """True: each login needs a new password (a token), so none is kept."""
        ...

    @property
    def noun(self) -> str:
        """What the password is, for people: ``a token of RDS``."""
        ...

    @property
    def action(self) -> str:
        """What has to be allowed for it, for people: ``ssm:GetParameter /prod/acme``."""
        ...

    def fresh(self, url: Url) -> Url:
        """`url` with a user and password that are read, or made, now.

        Raises:
            Unreachable, Refused: whoever keeps it did not answer, or said no.
        """
        ...


@dataclass(frozen=True)
class BrokenCredential:
    """In place of a login that its source does not give (a secret that cannot be read, say): whoever
    would connect with it gets `problem`, and nothing is contacted."""

    problem: EbhookError
    is_per_login: bool = True
    noun: str = "nothing"
    action: str = "a login"

    def fresh(self, url: Url) -> Url:
        raise copy(self.problem)
