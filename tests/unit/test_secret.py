"""A secret shows itself to nobody by accident."""

from __future__ import annotations

import json
import pickle
import traceback
from dataclasses import dataclass

import msgspec
import pytest

from ebhook.secret import Secret

VALUE = "hunter2secret"


@dataclass(frozen=True)
class Login:
    user: str
    password: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(VALUE)),
        str(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE)!r}",
        f"{Secret(VALUE):>20}",
        "%s %r" % (Secret(VALUE), Secret(VALUE)),  # noqa: UP031
        "{0} {0!r:.2}".format(Secret(VALUE)),
        repr([Secret(VALUE)]),
        repr({Secret(VALUE): Secret(VALUE)}),
        repr(Login("app", Secret(VALUE))),
    ],
)
def test_every_text_form_hides_it(shown: str) -> None:
    """repr, str, format, %, containers and dataclasses show stars."""
    assert VALUE not in shown
    assert "*" in shown


def test_reveal_is_the_way_to_it() -> None:
    """Whoever needs the value says so."""
    assert Secret(VALUE).reveal() == VALUE


def test_it_survives_a_pipe() -> None:
    """Workers get it by pickle, and it is as secret there."""
    copy = pickle.loads(pickle.dumps(Login("app", Secret(VALUE))))

    assert copy.password.reveal() == VALUE
    assert VALUE not in repr(copy)


def test_a_traceback_hides_it() -> None:
    """Also one with the values of the local variables."""
    try:
        password = Secret(VALUE)
        raise RuntimeError(password)
    except RuntimeError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()

    assert VALUE not in "".join(shown)


def test_json_refuses_it() -> None:
    """A document with a secret in it is a mistake that shows at once."""
    with pytest.raises(TypeError):
        json.dumps({"password": Secret(VALUE)})
    with pytest.raises(TypeError):
        msgspec.json.encode(Login("app", Secret(VALUE)))


def test_it_compares_by_value() -> None:
    """Equal secrets are one login to the survey; a plain text is never equal to a secret."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) != hash("a")


def test_an_empty_one_is_false() -> None:
    """No password and an empty one are told apart by the caller, not by truth."""
    assert not Secret("")
    assert Secret(" ")
