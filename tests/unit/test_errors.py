"""The error tree: drawn as it is, one exit code each, the worst one deciding."""

from __future__ import annotations

import itertools
import pickle
import re

import pytest

from ebhook import errors
from ebhook.errors import SEVERITY, EbhookError, Exit, LockHeld, worst

LINE = re.compile(r"^ {4}(?P<bars>[│ ]*)(?:[├└]── )?(?P<name>[A-Z]\w+) +(?P<rest>.*)$", re.M)


def drawn() -> dict[str, tuple[str | None, int | None]]:
    """The docstring's tree: each class with its parent and the exit code that stands beside it."""
    tree: dict[str, tuple[str | None, int | None]] = {}
    above: list[str] = []
    for match in LINE.finditer(errors.__doc__ or ""):
        depth = 0 if match["name"] == "EbhookError" else 1 + len(match["bars"]) // 4
        code = re.match(r"\d+", match["rest"])
        del above[depth:]
        tree[match["name"]] = (above[-1] if above else None, int(code[0]) if code else None)
        above.append(match["name"])
    return tree


def classes() -> dict[str, type[EbhookError]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, EbhookError)
    }


def test_the_drawing_has_every_class() -> None:
    """What is drawn exists, and what exists is drawn, under its own parent."""
    parents = {name: kind.__mro__[1].__name__ for name, kind in classes().items()}

    assert {name: parent for name, (parent, _) in drawn().items()} == {
        **parents,
        "EbhookError": None,
    }


def test_the_drawing_has_every_exit_code() -> None:
    """A number beside a class is its code, and its children without a number have the same."""
    tree = drawn()
    for name, kind in classes().items():
        if name == "EbhookError":
            continue
        parent, code = tree[name]
        while code is None and parent is not None:
            parent, code = tree[parent]
        assert kind.exit_code == code, name


def test_every_exit_code_has_a_place_in_the_order() -> None:
    """No code is left out of the order of severity, and none is there twice."""
    assert sorted(SEVERITY) == sorted(Exit)


def test_the_contract_with_scripts() -> None:
    """The numbers that scripts depend on."""
    assert {code.name: int(code) for code in Exit} == {
        "OK": 0,
        "FINDINGS": 1,
        "PERSON": 2,
        "USAGE": 64,
        "CHAIN": 65,
        "TRY_AGAIN": 75,
        "SETTINGS": 78,
    }


@pytest.mark.parametrize("codes", list(itertools.combinations_with_replacement(Exit, 2)), ids=str)
def test_the_worst_decides(codes: tuple[Exit, Exit]) -> None:
    """In any order; zero only when all are."""
    result = worst(list(codes))

    assert result == worst(list(codes[::-1])) == max(codes, key=SEVERITY.index)
    assert (result == Exit.OK) == (set(codes) == {Exit.OK})


def test_nothing_is_fine() -> None:
    """A run without tenants to complain of ends well."""
    assert worst([]) == Exit.OK


def test_a_person_outweighs_trying_again() -> None:
    """What will not pass by itself must not hide behind what may."""
    assert worst([Exit.TRY_AGAIN, Exit.PERSON, Exit.OK]) == Exit.PERSON
    assert worst([Exit.TRY_AGAIN, Exit.FINDINGS]) == Exit.TRY_AGAIN


@pytest.mark.parametrize("kind", list(classes().values()), ids=lambda kind: kind.__name__)
def test_an_error_has_three_parts(kind: type[EbhookError]) -> None:
    """What happened, the state now, the next command; and it crosses a process border whole."""
    error = pickle.loads(pickle.dumps(kind("What.", "State.", "Next.")))

    assert type(error) is kind
    assert (error.what, error.state, str(error.next)) == ("What.", "State.", "Next.")
    assert str(error) == "What. State. Next."
    assert error.exit_code == kind.exit_code


def test_parts_that_are_empty_leave_no_gap() -> None:
    """The state is that nothing was changed, unless somebody knows better."""
    assert str(LockHeld("Held.")) == "Held. Nothing was changed."
    assert str(LockHeld("Held.", "", "Wait.")) == "Held. Wait."
