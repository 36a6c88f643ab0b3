"""Re-parenting a version file: two places change, and no other byte."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.authoring.relink import choose, relink
from ebhook.chain.folder import read_revisions
from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken, UsageFailed

PLAIN = '''\
"""JMS-2 add phone

Revision ID: b2
Revises: a1
Create Date: 2026-01-01 00:00:00.000000

"""
revision = "b2"
down_revision = "a1"
branch_labels = None


def upgrade():
    """Revises: a1"""
    print("down_revision = 'a1'")
'''


def relinked(path: Path, content: bytes, parent: str = "new") -> bytes:
    path.write_bytes(content)
    relink(path, parent)
    return path.read_bytes()


def expect(old: bytes) -> bytes:
    return old.replace(b"Revises: a1\n", b"Revises: new\n").replace(
        b'down_revision = "a1"', b'down_revision = "new"'
    )


def test_two_places_change(tmp_path: Path) -> None:
    """The variable and the line of the docstring; what looks like them elsewhere stays."""
    assert relinked(tmp_path / "b2.py", PLAIN.encode()) == expect(PLAIN.encode())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("down_revision = 'a1'", "down_revision = 'new'"),
        ("down_revision='a1'  # why", "down_revision='new'  # why"),
        ("down_revision: Union[str, None] = 'a1'", "down_revision: Union[str, None] = 'new'"),
        ("revision = 'b2'\ndown_revision = None", "revision = 'b2'\ndown_revision = 'new'"),
        ('down_revision = ("a1",)', 'down_revision = "new"'),
        ("down_revision = (\n    'a1'\n)", "down_revision = (\n    'new'\n)"),
        ("é = 'ü😀'; down_revision = 'a1'; x = 'ß'", "é = 'ü😀'; down_revision = 'new'; x = 'ß'"),
        ("down_revision = 'x'\ndown_revision = 'a1'", "down_revision = 'x'\ndown_revision = 'new'"),
        ('"""Revises: a1"""\ndown_revision = "a1"', '"""Revises: a1"""\ndown_revision = "new"'),
        (
            '"""x\n\nRevises:\n"""\ndown_revision = None',
            '"""x\n\nRevises: new\n"""\ndown_revision = "new"',
        ),
        (
            '"""x\n\nRevises: a1  \nz"""\ndown_revision = "a1"',
            '"""x\n\nRevises: new  \nz"""\ndown_revision = "new"',
        ),
        (
            '"""x\n\nRevises: a1, a2"""\ndown_revision = "a1"',
            '"""x\n\nRevises: new"""\ndown_revision = "new"',
        ),
    ],
)
def test_however_it_is_written(tmp_path: Path, before: str, after: str) -> None:
    """Quotes, annotations, comments, brackets, blanks."""
    assert relinked(tmp_path / "x.py", before.encode()).decode() == after


def test_line_ends_and_encodings_stay(tmp_path: Path) -> None:
    """CRLF, a byte order mark, Latin-1, and no line end at the end of the file."""
    path = tmp_path / "x.py"
    windows = PLAIN.replace("\n", "\r\n").encode()
    assert relinked(path, windows) == expect(PLAIN.encode()).replace(b"\n", b"\r\n")

    marked = b"\xef\xbb\xbf" + PLAIN.encode()
    assert relinked(path, marked) == expect(marked)

    latin = b"# -*- coding: latin-1 -*-\n" + PLAIN.replace("phone", "téléphone").encode("latin-1")
    assert relinked(path, latin) == expect(latin)

    cut = PLAIN.encode().rstrip(b"\n") + b"\n# \x0c \xe2\x80\xa8 end"
    assert relinked(path, cut) == expect(cut)


def test_without_a_parent_to_replace(tmp_path: Path) -> None:
    """A file that does not say its parent at its top is left as it is."""
    path = tmp_path / "x.py"
    with pytest.raises(ChainBroken, match="has no down_revision"):
        relinked(path, b"revision = 'b2'\n")
    assert path.read_bytes() == b"revision = 'b2'\n"


@given(
    st.text(st.characters(codec="utf-8", exclude_characters='"\\\x00'), max_size=30),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["'", '"']),
    st.from_regex(r"[0-9a-f]{4,12}", fullmatch=True),
)
def test_the_file_says_the_new_parent_and_the_rest_as_before(
    tmp_path_factory: pytest.TempPathFactory, words: str, end: str, quote: str, parent: str
) -> None:
    """Whatever stands around it: Python reads the new parent, and the rest is the same bytes."""
    head = f'"""{words}{end}{end}Revises: a1{end}"""{end}x = """{words}"""{end}'
    tail = f"{end}y = 1{end}"
    path = tmp_path_factory.mktemp("relink") / "x.py"
    content = f"{head}down_revision = {quote}a1{quote}{tail}"

    path.write_bytes(content.encode())
    relink(path, parent)

    text = path.read_bytes().decode()
    assert text.endswith(f"down_revision = {quote}{parent}{quote}{tail}")
    assert text.replace(f"Revises: {parent}", "Revises: a1").startswith(head)
    ast.parse(text)


# --- which one, and onto what --------------------------------------------------------------------


def chain(tmp_path: Path, **parents: str | None) -> dict[str, Revision]:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text("")
    for id, above in parents.items():
        ids = above.split("+") if above else []
        down = repr(tuple(ids) if len(ids) > 1 else ids[0] if ids else None)
        (folder / "versions" / f"{id}.py").write_text(
            f"revision = {id!r}\ndown_revision = {down}\n"
        )
    return read_revisions(folder)


def test_the_other_head_is_the_new_parent(tmp_path: Path) -> None:
    """Without --onto, when there is one other head; however long the branches are."""
    found = chain(tmp_path, base=None, m1="base", m2="m1", t1="base", t2="t1")

    moved, parent = choose(found, "m1", None)

    assert (moved.id, parent.id) == ("m1", "t2")
    assert choose(found, "t1", None)[1].id == "m2"


@pytest.mark.parametrize(
    ("moved", "onto", "says"),
    [
        ("base", None, "on the way to every head"),
        ("m2", None, "ebhook relink m1 --onto t2"),
        ("m1", "t1", "there would be 2 heads"),
        ("m1", "m2", "would go in a circle"),
        ("m1", "base", "is on base already"),
        ("nowhere", None, "no revision 'nowhere'"),
        ("m1", "nowhere", "no revision 'nowhere'"),
    ],
)
def test_what_would_not_help_is_refused(
    tmp_path: Path, moved: str, onto: str | None, says: str
) -> None:
    """Each with the revision to name instead."""
    found = chain(tmp_path, base=None, m1="base", m2="m1", t1="base", t2="t1")

    with pytest.raises(UsageFailed) as caught:
        choose(found, moved, onto)

    assert says in str(caught.value)


def test_with_three_heads_the_parent_is_named(tmp_path: Path) -> None:
    """And each step has to leave one head less."""
    found = chain(tmp_path, base=None, m="base", t="base", u="base")

    with pytest.raises(UsageFailed, match="2 heads to put m on: t, u"):
        choose(found, "m", None)
    assert choose(found, "m", "t")[1].id == "t"


def test_a_merge_has_no_one_parent(tmp_path: Path) -> None:
    """It is its branches that can be put elsewhere."""
    found = chain(tmp_path, base=None, m="base", t="base", j="m+t", x="base")

    with pytest.raises(UsageFailed, match="is a merge of m, t"):
        choose(found, "j", "x")
