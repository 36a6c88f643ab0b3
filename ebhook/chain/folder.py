"""The chain of revisions, read from the files without running them.

Importing 500 version modules (and Alembic itself) would cost each boot most of its time, and a
syntax error would come as a traceback. The files are parsed instead: id, parents, message and date
are literals at the top of each. Where there is a chain.sum, a file that is as it was listed is not
parsed again. Whatever Alembic would merely warn of (a repeated id) is an error.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ebhook.chain import checksums
from ebhook.chain.graph import Chain, heads_of, in_order
from ebhook.chain.revision import Revision, checksum_of, content_of, names_others, parse, said_by
from ebhook.errors import ChainBroken
from ebhook.next_command import ebhook, then


def read_chain(folder: Path, *, env_py: bool = True) -> Chain:
    """The chain of a migrations folder, checked; by its chain.sum, when it has one.

    Args:
        env_py: whether the folder has to have an env.py.

    Raises:
        ChainBroken: no such folder, a file that cannot be read, a repeated id, a missing parent, a
            cycle, two heads, a chain.sum that lists other files.
    """
    _check_folder(folder, env_py)
    try:
        listed = checksums.read(folder)
        revisions = _as_listed(folder, listed) if listed is not None else None
    except ChainBroken:
        # What is wrong with the files themselves is the thing to say; two heads, above all.
        check_chain(read_revisions(folder, env_py=env_py))
        raise
    return check_chain(revisions or read_revisions(folder, env_py=env_py))


def check_chain(revisions: dict[str, Revision]) -> Chain:
    """The chain that version files make. Raises `ChainBroken`."""
    ordered = in_order(revisions)
    heads = heads_of(ordered)
    if len(heads) > 1:
        named = "\n".join(f"  {id}  {ordered[id].message}  ({ordered[id].path})" for id in heads)
        newest = max(heads, key=lambda id: ordered[id].date or "")
        raise ChainBroken(
            f"The chain has {len(heads)} heads:\n{named}\n",
            "No database was touched.",
            then(
                "Put the newer on top: ",
                ebhook("relink", words=[Chain(ordered).first_of_branch(newest)]),
                "; or, when it is applied somewhere, join them: ",
                ebhook("merge", words=["-m", "JMS-1234 merge heads"]),
            ),
        )
    return Chain(ordered)


def read_revisions(folder: Path, *, env_py: bool = True) -> dict[str, Revision]:
    """Every version file of a migrations folder by revision id, in no order and not yet checked."""
    _check_folder(folder, env_py)
    return _by_id(parse(path, content_of(path)) for path in version_files(folder))


def version_files(folder: Path) -> Iterator[Path]:
    """The files that Alembic takes for revisions."""
    for place in version_folders(folder):
        for path in sorted(place.glob("**/*.py" if _is_recursive(folder) else "*.py")):
            if not path.name.startswith(("__init__", ".#")):
                yield path


def _check_folder(folder: Path, env_py: bool) -> None:
    if not (folder / "env.py").is_file() if env_py else not folder.is_dir():
        raise ChainBroken(
            f"{folder} has no env.py." if folder.is_dir() else f"{folder} is not a folder.",
            "No database was touched.",
            "Name the folder with env.py: migrations = … in ebhook.toml, or EBHOOK_MIGRATIONS",
        )


def _as_listed(folder: Path, listed: Iterable[checksums.Line]) -> dict[str, Revision]:
    """The revisions as chain.sum lists them, each held against its file.

    A file whose content is what was listed has the id and the parents that were listed. One that
    was edited is parsed, and is fine while its id and parents are the same: `lint` says the rest.
    """
    lines = {line.file: line for line in listed}
    revisions = _by_id(
        _listed_file(path, lines.get(checksums.relative(folder, path)))
        for path in version_files(folder)
    )
    differences = checksums.compare(folder, lines.values(), revisions)
    wrong = [one for one in differences if one.change is not checksums.LineChange.EDITED]
    if wrong:
        raise checksums.stale(folder, wrong)
    return revisions


def _listed_file(path: Path, line: checksums.Line | None) -> Revision:
    content = content_of(path)
    doc = said_by(content)
    listed = line is not None and line.checksum == checksum_of(content)
    if line is None or doc is None or not listed or names_others(content):
        return parse(path, content)
    message, date = doc
    return Revision(line.id, line.parents, message or path.stem, date, path, line.checksum)


def _by_id(revisions: Iterable[Revision]) -> dict[str, Revision]:
    found: dict[str, Revision] = {}
    for revision in revisions:
        other = found.setdefault(revision.id, revision)
        if other is not revision:
            raise ChainBroken(
                f"Two files have the revision id {revision.id!r}: {other.path} and "
                f"{revision.path}.",
                "No database was touched.",
                then(
                    "Give the newer one another id (and its children another down_revision), then: ",
                    ebhook("history"),
                ),
            )
    return found


def ini_file(folder: Path) -> Path | None:
    """The alembic.ini that belongs to a migrations folder: inside (Flask-Migrate), beside it, or
    further up, where its script_location is the folder."""
    for path in (folder / "alembic.ini", folder.parent / "alembic.ini"):
        if path.is_file():
            return path
    for place in folder.parent.parents:
        path = place / "alembic.ini"
        if path.is_file():
            named = place / _option(path, "script_location")
            return path if named.resolve() == folder.resolve() else None
    return None


def toml_file(folder: Path) -> Path | None:
    """The pyproject.toml whose [tool.alembic] belongs to a migrations folder: beside it, or further up."""
    for place in folder.parents:
        path = place / "pyproject.toml"
        options = _toml(path)
        if options:
            named = str(options.get("script_location") or folder).replace("%(here)s", str(place))
            return path if (place / named).resolve() == folder.resolve() else None
    return None


def version_folders(folder: Path) -> list[Path]:
    """Where the version files are: ``versions``, unless alembic.ini or pyproject.toml has
    version_locations."""
    ini = ini_file(folder)
    listed = _option(ini, "version_locations") if ini is not None else ""
    if ini is not None and listed:
        # As Alembic splits it; what is relative starts where its command is run.
        separator = _option(ini, "path_separator") or _option(ini, "version_path_separator")
        separator = {"os": os.pathsep, "space": " ", "newline": "\n"}.get(separator, separator)
        parts = listed.split(separator) if separator else re.split(r", *| +", listed)
        start = folder.parent if ini.parent == folder else ini.parent
    else:
        start, options = _toml_options(folder)
        parts = [
            str(part).replace("%(here)s", str(start)).replace("%%", "%")
            for part in options.get("version_locations") or ()
        ]
    places = [start / part.strip() for part in parts if part.strip()]
    return list(dict.fromkeys(places)) or [folder / "versions"]


def _is_recursive(folder: Path) -> bool:
    ini = ini_file(folder)
    wish = _option(ini, "recursive_version_locations") if ini is not None else ""
    if not wish:
        _, options = _toml_options(folder)
        wish = str(options.get("recursive_version_locations", ""))
    return wish.lower() in ("true", "1", "yes", "on")


def _toml_options(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Where [tool.alembic] is, and what it says; nothing where there is none."""
    path = toml_file(folder)
    return (path.parent, _toml(path)) if path is not None else (folder.parent, {})


def _toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except OSError:
        return {}
    if b"alembic" not in text:
        return {}
    import tomllib  # late: most projects have none

    try:
        found = tomllib.loads(text.decode()).get("tool", {}).get("alembic", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChainBroken(
            f"{path} cannot be read: {error}.",
            "No database was touched.",
            then("Mend the file, then: ", ebhook("history")),
        ) from None
    return found if isinstance(found, dict) else {}


def _option(ini: Path, name: str) -> str:
    """An option of alembic.ini's main section; empty when it is not there."""
    parser = configparser.ConfigParser({"here": str(ini.parent).replace("%", "%%")})
    try:
        parser.read(ini, encoding="utf-8")
        return parser.get("alembic", name, fallback="").strip()
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ChainBroken(
            f"{ini} cannot be read: {getattr(error, 'message', error)}.",
            "No database was touched.",
            then("Mend the file, then: ", ebhook("history")),
        ) from None
