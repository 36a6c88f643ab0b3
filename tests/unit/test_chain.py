"""The chain, read from the files: held against a naive model and against Alembic itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RangeNotAncestorError, RevisionMap
from alembic.script.revision import Revision as AlembicRevision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebhook.chain import checksums
from ebhook.chain.folder import ini_file, read_chain, read_revisions, version_folders
from ebhook.chain.graph import Chain, in_order
from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken, Exit, UsageFailed
from ebhook.upgrade.version_scripts import order_dependencies

PROJECTS = Path(__file__).parents[1] / "projects"

Parents = Mapping[str, tuple[str, ...]]

HEALTHY = {
    "batch": ["a001", "a002"],
    "empty_chain": [],
    "engine_from_config": ["a001", "a002"],
    "env_raises": ["a001"],
    "fails_midway": ["a001", "a002", "a003"],
    "flask_migrate": ["a001", "a002", "a003"],
    "flask_migrate_multidb": ["a001"],
    "indexes": ["a001", "a002"],
    "linear": ["a001", "a002", "a003", "a004", "a005"],
    "merge": ["a001", "b002", "a002", "a003", "a004"],
    "mixed": ["a001", "a002", "a003", "a004", "a005", "a006", "a007", "a008"],
    "own_connection": ["a001", "a002"],
    "prints": ["a001", "a002"],
    "revision_connects": ["a001", "a002"],
    "run_arguments": ["a001", "a002"],
    "slow": ["a001", "a002", "a003"],
    "slow_ddl": ["a001", "a002", "a003"],
    "version_table": ["a001", "a002"],
}
BROKEN = {
    "cycle": ["goes in a circle: a002, a003"],
    "duplicate_id": ["the revision id 'a002'", "a002_jms_2_", "a002_jms_3_"],
    "missing_parent": ["a003_jms_3_", "its down_revision 'a002' is in no file"],
    "syntax_error": ["a002_jms_2_", "line 19", "'(' was never closed"],
    "two_heads": ["has 2 heads", "a002  JMS-2 add phone", "b002  JMS-3 add email"],
}


def folder_of(project: str) -> Path:
    return PROJECTS / project / ("alembic" if project == "engine_from_config" else "migrations")


def write(folder: Path, parents: Parents, depends_on: Parents | None = None) -> Path:
    """A migrations folder with one plain file per revision."""
    shutil.rmtree(folder, ignore_errors=True)
    versions = folder / "versions"
    versions.mkdir(parents=True)
    (folder / "env.py").write_text("")
    for id, above in parents.items():
        down = above[0] if len(above) == 1 else above or None
        text = f'"""say {id}"""\n\nrevision = {id!r}\ndown_revision = {down!r}\n'
        if depends_on is not None:
            text += f"depends_on = {depends_on.get(id) or None!r}\n"
        text += "def upgrade(): pass\ndef downgrade(): pass\n"
        (versions / f"{id}_x.py").write_text(text)
    return folder


def write_file(tmp_path: Path, text: str, name: str = "a1_x.py") -> Path:
    folder = write(tmp_path / "migrations", {})
    (folder / "versions" / name).write_text(text, "utf-8")
    return folder


def alembic_of(folder: Path) -> ScriptDirectory:
    """Alembic's own view of the same folder."""
    ini = ini_file(folder)
    config = Config(str(ini) if ini else None)
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "newline")
    places = "\n".join(map(str, version_folders(folder)))
    config.set_main_option("version_locations", places)
    return ScriptDirectory.from_config(config)


def steps(script: ScriptDirectory, target: str, at: tuple[str, ...]) -> list[str]:
    """Alembic's plan of an upgrade."""
    plan = script._upgrade_revs(target, at)  # type: ignore[arg-type]
    return [step.revision.revision for step in plan]


def broken(folder: Path) -> ChainBroken:
    with pytest.raises(ChainBroken) as failure:
        read_chain(folder)
    error = failure.value
    assert error.exit_code == Exit.CHAIN
    assert error.state == "No database was touched."
    assert error.next
    return error


# --- the tiny projects -------------------------------------------------------------------------


def test_every_project_is_tested() -> None:
    """Each tiny project is either healthy or broken here."""
    found = {path.parent.name for path in PROJECTS.glob("*/ebhook.toml")}

    assert found == HEALTHY.keys() | BROKEN.keys()


@pytest.mark.parametrize("project", HEALTHY)
def test_healthy_projects_are_read_in_order(project: str) -> None:
    """All revisions, parents before children, the last one being the head."""
    chain = read_chain(folder_of(project))

    assert list(chain.revisions) == HEALTHY[project]
    assert chain.head == (HEALTHY[project][-1] if HEALTHY[project] else None)


@pytest.mark.parametrize("project", HEALTHY)
def test_healthy_projects_are_what_alembic_sees(project: str) -> None:
    """Head, parents, messages and order of an upgrade are Alembic's."""
    chain, script = read_chain(folder_of(project)), alembic_of(folder_of(project))

    assert script.get_current_head() == chain.head
    theirs = list(script.walk_revisions())[::-1]
    assert [one.revision for one in theirs if project != "merge"] == [
        id for id in chain.revisions if project != "merge"
    ]
    for one in theirs:
        ours = chain.revisions[one.revision]
        assert set(ours.parents) == set(one._versioned_down_revisions)
        assert ours.message == one.doc
        assert ours.path.samefile(one.path)


@pytest.mark.parametrize("project", BROKEN)
def test_broken_projects_say_what_is_wrong(project: str) -> None:
    """The files and revisions to look at are named, and what to do."""
    text = str(broken(folder_of(project)))

    for part in BROKEN[project]:
        assert part in text


# --- generated chains --------------------------------------------------------------------------


@dataclass(frozen=True)
class Graph:
    """Revisions in no order of names, with branches, merges, dependencies, and one head."""

    parents: dict[str, tuple[str, ...]]
    depends_on: dict[str, tuple[str, ...]]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Directed graphs without cycles and with one head, ids in no order, branches and merges."""
    return draw(dependent_graphs()).parents


@st.composite
def dependent_graphs(draw: st.DrawFn) -> Graph:
    """The same with depends_on: each revision may name some that come before it."""
    count = draw(st.integers(1, 12))
    ids = draw(st.permutations([f"r{number:02}" for number in range(count)]))
    parents: dict[str, tuple[str, ...]] = {}
    depends_on: dict[str, tuple[str, ...]] = {}

    def some(number: int, most: int) -> tuple[str, ...]:
        before = st.sampled_from(ids[:number]) if number else st.nothing()
        return tuple(draw(st.lists(before, max_size=min(number, most), unique=True)))

    for number, id in enumerate(ids):
        parents[id] = some(number, 3)
        depends_on[id] = some(number, 2) if draw(st.booleans()) else ()
    childless = set(ids) - {parent for above in parents.values() for parent in above}
    parents["head"], depends_on["head"] = tuple(sorted(childless)), ()
    return Graph(parents, depends_on)


def ancestors(parents: Parents, ids: Iterable[str]) -> set[str]:
    """What a database at `ids` has: the naive way."""
    found = set(ids)
    while True:
        more = found | {parent for id in found for parent in parents[id]}
        if more == found:
            return found
        found = more


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every example may fill anew."""
    return tmp_path_factory.mktemp("chains") / "migrations"


disk = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@disk
@given(parents=graphs())
def test_parents_come_first(place: Path, parents: dict[str, tuple[str, ...]]) -> None:
    """Whatever the branches and merges, the order can be applied as it stands; the head is last."""
    chain = read_chain(write(place, parents))

    assert chain.revisions.keys() == parents.keys()
    order = list(chain.revisions)
    for id, revision in chain.revisions.items():
        assert set(revision.parents) == set(parents[id])
        assert all(order.index(parent) < order.index(id) for parent in revision.parents)
    assert chain.head == order[-1] == "head"


@disk
@given(parents=graphs())
def test_generated_chains_are_what_alembic_sees(
    place: Path, parents: dict[str, tuple[str, ...]]
) -> None:
    """One head for both, and both upgrade a new database by the same revisions."""
    chain = read_chain(write(place, parents))
    script = alembic_of(place)

    assert script.get_current_head() == chain.head
    theirs = steps(script, "head", ())
    assert theirs == [revision.id for revision in chain.missing((), chain.head)]
    assert theirs == list(chain.revisions)


def alembics_map(graph: Graph) -> RevisionMap:
    """Alembic's own graph, without files."""
    found = RevisionMap(
        lambda: [
            AlembicRevision(id, above, dependencies=graph.depends_on[id] or None)
            for id, above in graph.parents.items()
        ]
    )
    order_dependencies(found._revision_map.values())
    return found


@settings(max_examples=200, deadline=None)
@given(graph=dependent_graphs(), data=st.data())
def test_every_plan_is_alembics_own(graph: Graph, data: st.DataObject) -> None:
    """From any revision up to any other, and from any back to any other or the base."""
    alembics = alembics_map(graph)
    files = {
        id: Revision(id, above, id, None, Path(id), "", graph.depends_on[id])
        for id, above in graph.parents.items()
    }
    chain = Chain(in_order(files))
    ids = st.sampled_from(sorted(graph.parents))
    target, at = data.draw(ids), data.draw(st.none() | ids)
    back = data.draw(st.none() | st.sampled_from(sorted(chain.lineage([target]))))

    up = alembics.iterate_revisions(target, at, implicit_base=True)
    try:
        down = list(alembics.iterate_revisions(target, back or "base", select_for_downgrade=True))
    except RangeNotAncestorError:  # Alembic's word for: nothing builds on what is only depended on
        down = []

    stands = (at,) if at else ()
    assert [one.id for one in chain.missing(stands, target)] == [one.revision for one in up][::-1]
    assert [one.id for one in chain.undone((target,), back)] == [one.revision for one in down]
    whole = alembics.iterate_revisions("head", None, implicit_base=True)
    assert list(chain.revisions) == [one.revision for one in whole][::-1]


@disk
@given(graph=dependent_graphs())
def test_dependencies_are_read_the_same_by_chain_sum(place: Path, graph: Graph) -> None:
    """chain.sum does not list them, and gives the same order."""
    folder = write(place, graph.parents, graph.depends_on)
    chain = read_chain(folder)
    checksums.write(folder, chain.revisions.values())

    assert list(read_chain(folder).revisions.values()) == list(chain.revisions.values())


def test_dependencies_may_be_named_by_a_label(tmp_path: Path) -> None:
    """As Alembic's own, they are known by the label of a branch, and listed in chain.sum or not."""
    folder = write(tmp_path / "m", {"a": (), "b": (), "c": ("b", "a")}, {"b": ("first",)})
    with (folder / "versions" / "a_x.py").open("a") as file:
        file.write("branch_labels = ('first',)\n")
    for _ in range(2):
        chain = read_chain(folder)
        assert chain.revisions["b"].dependencies == ("a",)
        assert list(chain.revisions) == steps(alembic_of(folder), "head", ()) == ["a", "b", "c"]
        checksums.write(folder, chain.revisions.values())


def test_a_dependency_in_no_file(tmp_path: Path) -> None:
    """It is named, with its file."""
    error = broken(write(tmp_path / "m", {"a": (), "b": ("a",)}, {"b": ("gone",)}))

    assert "b_x.py: its depends_on 'gone' is in no file" in error.what


def test_a_circle_of_dependencies(tmp_path: Path) -> None:
    """It is a circle, though the parents make none."""
    error = broken(write(tmp_path / "m", {"a": (), "b": ("a",), "c": ("b",)}, {"b": ("c",)}))

    assert "goes in a circle: b, c" in error.what


@given(count=st.integers(1, 30), data=st.data())
@disk
def test_a_linear_chain_is_applied_in_alembics_order(
    place: Path, count: int, data: st.DataObject
) -> None:
    """From anywhere to anywhere further on, revision by revision as Alembic does it."""
    ids = data.draw(st.permutations([f"r{number:02}" for number in range(count)]))
    parents = {id: (ids[number - 1],) if number else () for number, id in enumerate(ids)}
    start, end = sorted(data.draw(st.tuples(st.integers(0, count), st.integers(1, count))))
    at = (ids[start - 1],) if start else ()
    target = ids[end - 1] if end else ids[0]
    end = max(end, 1)

    chain = read_chain(write(place, parents))
    theirs = steps(alembic_of(place), target, at)

    assert list(chain.revisions) == list(ids)
    assert [one.id for one in chain.missing(at, target)] == list(ids[start:end])
    assert theirs == list(ids[start:end])


def model_of(parents: Parents) -> Chain:
    """A `Chain` without files: parents before children, as `read_chain` has them."""
    ordered: dict[str, Revision] = {}
    while len(ordered) < len(parents):
        for id, above in parents.items():
            if id not in ordered and all(parent in ordered for parent in above):
                ordered[id] = Revision(id, above, id, None, Path(id), "")
    return Chain(ordered)


@given(parents=graphs(), data=st.data())
def test_missing_and_lineage_are_right(
    parents: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    """Against the naive model, for a database anywhere and any target."""
    chain = model_of(parents)
    at = data.draw(st.lists(st.sampled_from(sorted(parents)), max_size=3, unique=True))
    target = data.draw(st.none() | st.sampled_from(sorted(parents)))

    has = ancestors(parents, at)
    wanted = ancestors(parents, [target] if target else []) - has
    missing = [revision.id for revision in chain.missing(at, target)]

    assert chain.lineage(at) == has
    assert set(missing) == wanted
    done = set(has)
    for id in missing:  # each one can be applied when its turn comes
        assert done.issuperset(parents[id])
        done.add(id)


@given(parents=graphs(), data=st.data())
def test_steps_back_are_right(parents: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    """``-N`` is N parents up, where that is one revision; else it is refused and names the choice."""
    chain = model_of(parents)
    start = data.draw(st.sampled_from(sorted(parents)))
    steps = data.draw(st.integers(0, 6))

    at: tuple[str, ...] = (start,)
    for _ in range(steps):
        if len(at) != 1:
            break
        at = parents[at[0]]
    else:
        if len(at) < 2:
            assert chain.back((start,), steps) == (at[0] if at else None)
            return
    with pytest.raises(UsageFailed):
        chain.back((start,), steps)


def test_lineage_leaves_out_what_it_does_not_know() -> None:
    """A revision of another bundle counts for nothing, and `knows` says so."""
    chain = model_of({"a": (), "b": ("a",)})

    assert chain.lineage(["zzz"]) == frozenset()
    assert chain.lineage(["zzz", "a"]) == {"a"}
    assert chain.knows(["a", "b"])
    assert chain.knows([])
    assert not chain.knows(["a", "zzz"])


# --- finding and going back --------------------------------------------------------------------

IDS = {"7f3a01": (), "7f3b02": ("7f3a01",), "head1": ("7f3b02",)}


@pytest.mark.parametrize(
    ("text", "id"),
    [("head", "head1"), ("heads", "head1"), ("7f3a01", "7f3a01"), ("7f3b", "7f3b02")],
)
def test_find(text: str, id: str) -> None:
    """head, an id, or the start of one."""
    assert model_of(IDS).find(text).id == id


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("7f3", "is the start of several revisions: 7f3a01, 7f3b02."),
        ("7f", "The chain has no revision '7f'."),  # too short to mean anything
        ("zzz", "The chain has no revision 'zzz'."),
        ("", "The chain has no revision ''."),
    ],
)
def test_find_refuses(text: str, complaint: str) -> None:
    """What means nothing, or several revisions, is a usage error."""
    with pytest.raises(UsageFailed) as failure:
        model_of(IDS).find(text)

    assert complaint in failure.value.what
    assert str(failure.value.next) == "See which there are: ebhook history"


def test_an_exact_id_beats_a_prefix() -> None:
    """An id that is also the start of another one is itself."""
    assert model_of({"abc": (), "abcd": ("abc",)}).find("abc").id == "abc"


def test_an_empty_chain_has_no_head_to_find() -> None:
    """`head` of nothing is refused, and the chain's head is None."""
    chain = model_of({})

    assert chain.head is None
    assert chain.missing((), None) == ()
    with pytest.raises(UsageFailed, match="no revision 'head'"):
        chain.find("head")


def test_going_back_too_far() -> None:
    """More steps than there are is told as that; `base` is the word for everything."""
    with pytest.raises(UsageFailed, match="is more than there is") as failure:
        model_of(IDS).back(("7f3b02",), 5)

    assert "base" in str(failure.value.next)


# --- the files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parents"),
    [
        ("revision = 'a1'\ndown_revision = None", ()),
        ("revision = 'a1'", ()),
        ("revision: str = 'a1'\ndown_revision: str | None = None", ()),
        ("revision: str = 'a1'\ndown_revision: Union[str, None] = 'a0'", ("a0",)),
        ("revision = 'a1'\ndown_revision = ('a0', 'b0')", ("a0", "b0")),
        ("revision = 'a1'\ndown_revision = ['a0', 'b0']", ("a0", "b0")),
        ("revision = down_revision = 'a1'\ndown_revision = 'a0'", ("a0",)),
        ("# -*- coding: latin-1 -*-\nrevision = 'a1'\ndown_revision = None", ()),
        ("\ufeffrevision = 'a1'\ndown_revision = None", ()),
    ],
)
def test_ways_to_write_a_revision(tmp_path: Path, text: str, parents: tuple[str, ...]) -> None:
    """Annotated or not, a tuple or a list, with a coding line or a byte order mark."""
    folder = write_file(tmp_path, text)

    (revision,) = read_revisions(folder).values()

    assert (revision.id, revision.parents) == ("a1", parents)


def test_message_and_date(tmp_path: Path) -> None:
    """The docstring's first line, and its Create Date; without one, the file's name."""
    text = '"""JMS-1 add clients\n\nCreate Date: 2026-02-11 09:00\n\n"""\nrevision = "a1"\n'
    (with_doc,) = read_revisions(write_file(tmp_path, text)).values()
    assert (with_doc.message, with_doc.date) == ("JMS-1 add clients", "2026-02-11 09:00")

    (without,) = read_revisions(write_file(tmp_path, "revision = 'a1'")).values()
    assert (without.message, without.date) == ("a1_x", None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("revision = make_id()", "line 1: revision is not a plain literal"),
        (
            "revision = 'a1'\n\ndown_revision = PARENT",
            "line 3: down_revision is not a plain literal",
        ),
        (
            "revision = 'a1'\ndown_revision = {[]: 1}",
            "line 2: down_revision is not a plain literal",
        ),
        ("down_revision = None", "has no revision = '…' at its top"),
        ("revision = ''", "has no revision = '…' at its top"),
        ("revision = 17", "has no revision = '…' at its top"),
        ("def upgrade(:", "line 1: cannot be read: "),
        ("revision = 'a1'\n  x = 1", "line 2: cannot be read: unexpected indent"),
        ("revision = 'a1'\0", "cannot be read: "),
        ("# -*- coding: klingon -*-\nrevision = 'a1'", "cannot be read: "),
    ],
)
def test_files_that_are_no_revisions(tmp_path: Path, text: str, complaint: str) -> None:
    """The file and the line are named; nothing is run to find out."""
    folder = write_file(tmp_path, text)

    what = broken(folder).what

    assert str(folder / "versions" / "a1_x.py") in what
    assert complaint in what


def test_nothing_is_run(tmp_path: Path) -> None:
    """Reading the chain executes no version file and no env.py."""
    folder = write_file(tmp_path, "revision = 'a1'\nraise SystemExit('was run')")
    (folder / "env.py").write_text("raise SystemExit('was run')")

    assert read_chain(folder).head == "a1"


@pytest.mark.parametrize("name", ["__init__.py", ".#a1_x.py", "notes.txt", "a1.py~", "a1.pyc"])
def test_files_that_do_not_count(tmp_path: Path, name: str) -> None:
    """Packages, editors' locks and everything that is no .py file, as for Alembic."""
    folder = write_file(tmp_path, "not python at all", name)

    assert read_chain(folder).head is None
    assert alembic_of(folder).get_current_head() is None


def test_line_ends_do_not_change_the_checksum(tmp_path: Path) -> None:
    """A checkout with CRLF is the same revision; one changed letter is not."""
    (unix,) = read_revisions(write_file(tmp_path, "revision = 'a1'\n")).values()
    folder = write_file(tmp_path, "")
    (folder / "versions" / "a1_x.py").write_bytes(b"revision = 'a1'\r\n")
    (windows,) = read_revisions(folder).values()
    (other,) = read_revisions(write_file(tmp_path, "revision = 'a1' \n")).values()

    assert unix.checksum == windows.checksum != other.checksum


def test_repeated_parents_are_one(tmp_path: Path) -> None:
    """A merge that names a parent twice is no circle."""
    chain = read_chain(write(tmp_path / "m", {"a": (), "b": ("a", "a")}))

    assert list(chain.revisions) == ["a", "b"]


@pytest.mark.parametrize(
    "parents", [{"a": ("a",)}, {"a": (), "b": ("c",), "c": ("b",), "d": ("a",)}]
)
def test_circles(tmp_path: Path, parents: Parents) -> None:
    """A revision that is its own ancestor, beside a healthy part or alone, is named."""
    error = broken(write(tmp_path / "m", parents))

    assert "goes in a circle" in error.what
    assert ("a" if len(parents) == 1 else "b, c") in error.what


def test_a_thousand_revisions(tmp_path: Path) -> None:
    """Depth is no problem: nothing recurses over the chain."""
    parents = {f"r{n:04}": (f"r{n - 1:04}",) if n else () for n in range(1500)}

    chain = model_of(parents)

    assert len(chain.missing((), chain.head)) == 1500
    assert len(chain.lineage(["r1499"])) == 1500


# --- folders and alembic.ini -------------------------------------------------------------------


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_that_is_none(tmp_path: Path, made: bool) -> None:
    """A wrong `migrations` is told by its path, and how to name the right one."""
    folder = tmp_path / "migrations"
    if made:
        folder.mkdir()

    error = broken(folder)

    assert str(folder) in error.what
    assert "EBHOOK_MIGRATIONS" in str(error.next)


def test_a_folder_without_env_py_for_those_who_do_not_use_it(tmp_path: Path) -> None:
    """With env_py = false nothing but version files is needed."""
    folder = write(tmp_path / "m", {"a": ()})
    (folder / "env.py").unlink()

    assert read_chain(folder, env_py=False).head == "a"
    with pytest.raises(ChainBroken):
        read_chain(tmp_path / "none", env_py=False)


def test_no_versions_folder_is_an_empty_chain(tmp_path: Path) -> None:
    """git keeps no empty folders: a project before its first revision has none."""
    folder = write(tmp_path / "m", {})
    (folder / "versions").rmdir()

    assert read_chain(folder).head is None


def ini_text(*lines: str) -> str:
    return "[alembic]\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        ("db/alembic.ini", ["version_locations = %(here)s/one %(here)s/two"]),
        ("db/alembic.ini", ["version_locations = %(here)s/one, %(here)s/two"]),
        (
            "db/alembic.ini",
            ["path_separator = os", "version_locations = %(here)s/one:%(here)s/two"],
        ),
        (
            "db/alembic.ini",
            ["version_path_separator = ;", "version_locations = %(here)s/one; %(here)s/two"],
        ),
        (
            "db/alembic.ini",
            ["path_separator = newline", "version_locations = %(here)s/one", "  %(here)s/two"],
        ),
        ("db/alembic.ini", ["version_locations = db/one db/two"]),
        ("alembic.ini", ["version_locations = db/one db/two"]),
        ("alembic.ini", ["version_locations = %(here)s/db/one %(here)s/db/two %(here)s/db/one"]),
        ("alembic.ini", ["version_locations = %(here)s/db/one %(here)s/db/two %(here)s/none"]),
    ],
)
def test_version_locations(tmp_path: Path, where: str, lines: Sequence[str]) -> None:
    """Several folders, with every separator that Alembic has, absolute or from the project's root."""
    root = tmp_path / "100% mine"
    folder = write(root / "db", {})
    for name, text in {"one": "revision = 'a'", "two": "revision='b'\ndown_revision='a'"}.items():
        (folder / name).mkdir()
        (folder / name / f"{name}.py").write_text(text)
    # A blank in the path would be a separator, for Alembic as well.
    root = root.rename(tmp_path / "100%mine")
    (root / where).write_text(ini_text(*lines))

    assert list(read_chain(root / "db").revisions) == ["a", "b"]


def test_recursive_version_locations(tmp_path: Path) -> None:
    """Folders below count when alembic.ini says so, as for Alembic, and otherwise not."""
    folder = write(tmp_path / "m", {"a": ()})
    (folder / "versions" / "2026").mkdir()
    (folder / "versions" / "2026" / "b.py").write_text("revision = 'b'\ndown_revision = 'a'")
    assert read_chain(folder).head == alembic_of(folder).get_current_head() == "a"

    (tmp_path / "alembic.ini").write_text(ini_text("recursive_version_locations = true"))
    assert read_chain(folder).head == alembic_of(folder).get_current_head() == "b"


def test_where_alembic_ini_is_found(tmp_path: Path) -> None:
    """Inside the folder first, then beside it, then further up if it names the folder."""
    folder = write(tmp_path / "app" / "db" / "migrations", {})
    assert ini_file(folder) is None

    top = tmp_path / "alembic.ini"
    top.write_text(ini_text("script_location = other"))
    assert ini_file(folder) is None
    for location in ("app/db/migrations", "%(here)s/app/db/migrations"):
        top.write_text(ini_text(f"script_location = {location}"))
        assert ini_file(folder) == top

    beside = folder.parent / "alembic.ini"
    beside.write_text("")
    assert ini_file(folder) == beside

    inside = folder / "alembic.ini"
    inside.write_text("")
    assert ini_file(folder) == inside


@pytest.mark.parametrize(
    "text",
    [b"version_locations = x", b"[alembic]\nversion_locations = %(where)s", b"[alembic]\nx = \xff"],
)
def test_an_alembic_ini_that_cannot_be_read(tmp_path: Path, text: bytes) -> None:
    """It is the chain that is broken, and the file is named."""
    folder = write(tmp_path / "m", {})
    (folder / "alembic.ini").write_bytes(text)

    assert str(folder / "alembic.ini") in broken(folder).what
