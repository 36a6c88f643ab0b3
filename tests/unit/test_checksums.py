"""chain.sum: what it says, when it is believed, and that git stops where two branches meet."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.chain import checksums
from ebhook.chain.checksums import Line, LineChange
from ebhook.chain.folder import read_chain, read_revisions
from ebhook.chain.graph import Chain
from ebhook.errors import ChainBroken, Exit

VERSION = '''"""{message}

Revision ID: {id}
Revises: {revises}
Create Date: 2026-01-01 00:00:00.000000

"""

revision = "{id}"
down_revision = {down}


def upgrade() -> None:
    pass
'''


def add(folder: Path, id: str, *parents: str, message: str | None = None) -> Path:
    """One more version file."""
    down: object = parents if len(parents) > 1 else parents[0] if parents else None
    path = folder / "versions" / f"{id}_jms_1.py"
    text = VERSION.format(
        id=id, message=message or f"JMS-1 add {id}", revises=", ".join(parents), down=repr(down)
    )
    path.write_text(text, "utf-8")
    return path


def sum_up(folder: Path) -> Chain:
    """Writes chain.sum for the files as they are."""
    chain = Chain(dict(read_chain_without_sum(folder).revisions))
    checksums.write(folder, chain.revisions.values())
    return chain


def read_chain_without_sum(folder: Path) -> Chain:
    (folder / "chain.sum").unlink(missing_ok=True)
    return read_chain(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chain a ← b ← c, and its chain.sum."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text("")
    add(folder, "a")
    add(folder, "b", "a")
    add(folder, "c", "b")
    sum_up(folder)
    return folder


def refused(folder: Path) -> ChainBroken:
    with pytest.raises(ChainBroken) as caught:
        read_chain(folder)
    assert caught.value.exit_code is Exit.CHAIN
    assert caught.value.state == "No database was touched."
    return caught.value


# --- what it says --------------------------------------------------------------------------------


def test_one_line_a_revision_in_order(folder: Path) -> None:
    """Ids, parents, checksums and files, and the head at the end."""
    lines = (folder / "chain.sum").read_text().splitlines()
    checksums = {id: one.checksum for id, one in read_revisions(folder).items()}

    assert [line for line in lines if not line.startswith("#")][:3] == [
        f"a base {checksums['a']} versions/a_jms_1.py",
        f"b a {checksums['b']} versions/b_jms_1.py",
        f"c b {checksums['c']} versions/c_jms_1.py",
    ]
    assert lines[-1].startswith("head c ")


def test_reading_by_it_gives_what_parsing_gives(folder: Path) -> None:
    """The same chain, messages, dates and order included; merges and unusual texts too."""
    add(folder, "d", "b", message='JMS-2 "ü" and it\'s {odd}')
    add(folder, "e", "c", "d")
    parsed = sum_up(folder)

    quick = read_chain(folder)

    assert quick == parsed
    assert list(quick.revisions) == list(parsed.revisions)


@pytest.mark.parametrize(
    "content",
    [
        b'"""JMS-1 x\r\n\r\n   Create Date: 2026-01-01\r\n"""\r\n',
        b'"""\n\n  JMS-1 x\n  Create Date: 2026-01-01 \n"""\n',
        b"'''JMS-1 \"x\"'''\n",
        b"'JMS-1 x'\n",
        b'r"""JMS-1 \\x"""\n',
        b'"""JMS-1 \\"x\\" \\u00e9"""\n',
        b'\xef\xbb\xbf"""JMS-1 \xc3\xa9"""\n',
        b'# -*- coding: latin-1 -*-\n"""JMS-1 \xe9"""\n',
        b'# a comment\n"""JMS-1 x"""\n',
        b'""""""\n',
        b"",
        b'x = 1\n"""JMS-1 x\nCreate Date: 2026-01-01\n"""\n',
    ],
)
def test_messages_and_dates_are_those_that_parsing_gives(folder: Path, content: bytes) -> None:
    """However the docstring is written, in whichever encoding."""
    (folder / "versions/d.py").write_bytes(content + b"revision = 'd'\ndown_revision = 'c'\n")
    parsed = sum_up(folder)

    assert read_chain(folder) == parsed


def test_an_unchanged_file_is_not_parsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what makes a boot with 500 revisions fast."""
    monkeypatch.setattr("ebhook.chain.folder.parse", lambda *_: pytest.fail("parsed"))

    assert read_chain(folder).head == "c"


def test_line_ends_do_not_matter(folder: Path) -> None:
    """A checkout with CRLF, of the versions and of chain.sum, is the same chain."""
    for path in (folder / "chain.sum", *(folder / "versions").glob("*.py")):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert read_chain(folder).head == "c"
    assert checksums.write(folder, read_chain(folder).revisions.values()) is False


def test_it_is_written_only_when_it_changes(folder: Path) -> None:
    """Writing what is there already changes nothing."""
    assert checksums.write(folder, read_chain(folder).revisions.values()) is False
    add(folder, "d", "c")
    assert checksums.write(folder, read_chain_without_sum(folder).revisions.values()) is True
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_an_empty_chain_has_one(tmp_path: Path) -> None:
    """No revision yet: the head is base."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text("")
    sum_up(tmp_path)

    assert (tmp_path / "chain.sum").read_text().splitlines()[-1].startswith("head base ")
    assert read_chain(tmp_path).head is None


ids = st.text(min_size=1, max_size=12).filter(lambda id: id != "base" and id.isprintable())
files = st.from_regex(r"versions/[\w. ü-]{1,20}\.py", fullmatch=True)


@given(
    st.lists(
        st.builds(
            Line,
            ids,
            st.lists(ids, max_size=2).map(tuple),
            st.text("0123456789abcdef", min_size=64, max_size=64),
            files,
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(lines: list[Line]) -> None:
    """Whatever ids and file names there are."""
    assert checksums.parse(checksums.render(lines), Path("chain.sum")) == tuple(lines)


@given(st.data())
def test_no_change_by_hand_is_believed(data: st.DataObject) -> None:
    """A chain.sum with any line removed, repeated, swapped or altered is refused, or says the same."""
    lines = [Line(id, (), str(n) * 64, f"versions/{id}.py") for n, id in enumerate("abc")]
    text = checksums.render(lines)
    rows = text.splitlines()
    body = range(2, len(rows))
    first, second = data.draw(st.sampled_from(body)), data.draw(st.sampled_from(body))
    changed = [*rows]
    match data.draw(st.sampled_from(["remove", "repeat", "swap", "alter"])):
        case "remove":
            del changed[first]
        case "repeat":
            changed.insert(first, changed[second])
        case "swap":
            changed[first], changed[second] = changed[second], changed[first]
        case _:
            place = data.draw(st.integers(0, len(changed[first]) - 1))
            letter = data.draw(st.sampled_from("abc019 ,%"))
            changed[first] = changed[first][:place] + letter + changed[first][place + 1 :]
    try:
        read = checksums.parse("\n".join(changed) + "\n", Path("chain.sum"))
    except ChainBroken:
        return
    assert read == tuple(lines)


# --- when it is believed -------------------------------------------------------------------------


def test_without_one_the_files_are_parsed(folder: Path) -> None:
    """A project need not have one."""
    assert read_chain_without_sum(folder).head == "c"


def test_a_file_that_is_not_listed(folder: Path) -> None:
    """A revision made without ebhook, or a leftover of another branch: refused, and both ways named."""
    add(folder, "d", "c")

    error = refused(folder)

    assert "versions/d_jms_1.py (d) is not in it" in error.what
    assert "ebhook chain --write" in str(error.next)


def test_a_listed_file_that_is_absent(folder: Path) -> None:
    """A head that was left out of the bundle must not make the one before it the head."""
    (folder / "versions/c_jms_1.py").unlink()

    error = refused(folder)

    assert "versions/c_jms_1.py (c) is in it, but there is no such file" in error.what
    assert "left out of the bundle" in str(error.next)


def test_a_file_that_was_edited(folder: Path) -> None:
    """The same id and parents: the chain is what it was, and only lint has something to say."""
    path = folder / "versions/b_jms_1.py"
    path.write_text(path.read_text().replace("pass", "return"))

    listed = checksums.read(folder)
    assert listed is not None
    (difference,) = checksums.compare(folder, listed, read_revisions(folder))

    assert (difference.change, difference.id) == (LineChange.EDITED, "b")
    chain = read_chain(folder)
    assert chain.head == "c"
    assert chain.revisions["b"].checksum != {line.id: line for line in listed}["b"].checksum


def test_a_file_with_other_parents(folder: Path) -> None:
    """An edit that re-parents a revision is another chain."""
    add(folder, "c", "a")
    add(folder, "b", "c")

    assert "versions/c_jms_1.py (c) has another id or down_revision now" in refused(folder).what


def test_a_file_with_another_id(folder: Path) -> None:
    """So is one that renames it."""
    path = folder / "versions/c_jms_1.py"
    path.write_text(path.read_text().replace('"c"', '"z"'))

    assert "(z) has another id or down_revision now" in refused(folder).what


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "was not written by this release of ebhook"),
        ("# ebhook chain.sum 2: …\nhead base x\n", "was not written by this release of ebhook"),
        ("# ebhook chain.sum 1:\nhead base nonsense\n", "is damaged"),
        ("# ebhook chain.sum 1:\n", "is damaged"),
        (f"# ebhook chain.sum 1:\nhead a {'0' * 64}\n", "was changed by hand, or by a merge"),
    ],
)
def test_what_ebhook_did_not_write_is_refused(folder: Path, text: str, says: str) -> None:
    """And the error names how to write it again."""
    (folder / "chain.sum").write_text(text)

    error = refused(folder)

    assert says in error.what
    assert "ebhook chain --write" in str(error.next)


def test_a_folder_in_its_place(folder: Path) -> None:
    """What cannot be read is refused, too."""
    (folder / "chain.sum").unlink()
    (folder / "chain.sum").mkdir()

    assert "cannot be read" in refused(folder).what


def test_an_unreadable_version_is_named_first(folder: Path) -> None:
    """A syntax error is said as one, whatever chain.sum says."""
    (folder / "versions/c_jms_1.py").write_text("revision = (")

    assert "cannot be read: '(' was never closed" in refused(folder).what


# --- git -----------------------------------------------------------------------------------------

Git = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def git(folder: Path) -> Git:
    """The chain, committed on the branch ``main``; then ``git(*arguments)``."""

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", "-C", str(folder), *who, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_GLOBAL": "/dev/null"},
        )

    git("init", "--quiet", "--initial-branch=main")
    commit(git)
    return git


def commit(git: Git) -> None:
    git("add", "--all")
    done = git("commit", "--quiet", "--message=one more")
    assert done.returncode == 0, done.stderr


def branch(git: Git, folder: Path, name: str, *revisions: tuple[str, str]) -> None:
    """A branch of ``main`` that adds revisions, as ``ebhook migrate`` would."""
    git("checkout", "--quiet", "-b", name, "main")
    for id, parent in revisions:
        add(folder, id, parent)
        sum_up(folder)
        commit(git)


@pytest.mark.parametrize("command", ["merge", "rebase", "cherry-pick"])
@pytest.mark.parametrize("mine", [("m1",), ("m1", "m2", "m3")], ids=["one", "three"])
def test_two_branches_that_add_a_revision_conflict(
    git: Git, folder: Path, command: str, mine: tuple[str, ...]
) -> None:
    """Merged, rebased or picked: git stops, and names chain.sum alone."""
    branch(git, folder, "theirs", ("t1", "c"))
    branch(git, folder, "mine", *zip(mine, ("c", *mine), strict=False))

    done = git(command, "theirs")

    assert done.returncode != 0
    assert git("diff", "--name-only", "--diff-filter=U").stdout.split() == ["chain.sum"]
    error = refused(folder)
    assert "2 heads" in error.what


def test_the_marks_of_a_conflict_are_named(git: Git, folder: Path) -> None:
    """When the files are one chain already, what is left is to write chain.sum."""
    branch(git, folder, "theirs", ("t1", "c"))
    branch(git, folder, "mine", ("m1", "c"))
    git("merge", "theirs")
    add(folder, "m1", "t1")

    error = refused(folder)

    assert "the marks of a git conflict" in error.what
    assert "ebhook chain --write" in str(error.next)
    assert sum_up(folder).head == "m1"


@pytest.mark.parametrize("how", ["ours", "theirs", "union"])
def test_a_conflict_that_git_was_told_to_swallow_shows(git: Git, folder: Path, how: str) -> None:
    """With ``-X ours``, ``-X theirs`` or ``merge=union`` git does not stop: the next reader does."""
    if how == "union":
        (folder / ".gitattributes").write_text("chain.sum merge=union\n")
        commit(git)
    branch(git, folder, "theirs", ("t1", "c"))
    branch(git, folder, "mine", ("m1", "c"))

    done = git("merge", "--no-edit", "theirs", *([] if how == "union" else ["-X", how]))

    assert done.returncode == 0, done.stderr
    assert "2 heads" in refused(folder).what
    add(folder, "m1", "t1")
    assert str(refused(folder).next).endswith("ebhook chain --write")


def test_the_same_revision_on_two_branches_is_no_conflict(git: Git, folder: Path) -> None:
    """A revision that was picked from the other branch is the same line."""
    branch(git, folder, "theirs", ("t1", "c"))
    branch(git, folder, "mine", ("t1", "c"))

    assert git("merge", "--no-edit", "theirs").returncode == 0
    assert read_chain(folder).head == "t1"


def test_a_branch_without_revisions_merges(git: Git, folder: Path) -> None:
    """Only the chain conflicts, not everything."""
    branch(git, folder, "theirs", ("t1", "c"))
    git("checkout", "--quiet", "-b", "mine", "main")
    (folder / "models.py").write_text("x = 1\n")
    commit(git)

    assert git("merge", "--no-edit", "theirs").returncode == 0
    assert read_chain(folder).head == "t1"
