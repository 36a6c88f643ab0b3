"""What a login's password is kept by, where that is not the URL: it can be read, or made, anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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
