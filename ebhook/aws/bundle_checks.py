"""What would keep ebhook from working on an instance, seen in the folder that becomes the bundle.

`eb deploy` makes the bundle with ``git archive``, or, where there is an .ebignore, of the folder less what
that file says. A warning is a line that names a file and the remedy.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ebhook.aws.bundle import EXTENSION, HOOKS, TEMPLATES

# What other hooks and commands do that ebhook does now.
_UPGRADE = re.compile(r"\b(db|alembic)\s+upgrade\b")
# What a container_command that uses the application's database looks like.
_NEEDS_SCHEMA = re.compile(r"\b(flask\s+(?!db\b)\w+|manage\.py\s+\w+|python3?\s+\S+\.py\b)")
# Where applications bring their databases to head by other means.
_ELSEWHERE = ("Procfile", "Buildfile", "Makefile", "*.sh", "scripts/*", "bin/*")
_LARGEST_SCRIPT = 200_000  # bytes
_DOCKER = ("Dockerfile", "docker-compose.yml", "Dockerrun.aws.json")
_REQUIREMENTS = ("requirements.txt", "Pipfile", "pyproject.toml")


def warnings(folder: Path) -> list[str]:
    """What would keep the files of `folder` from working on an instance."""
    return [
        *_of_the_platform(folder),
        *_of_hooks(folder),
        *_of_leaving_out(folder),
        *_of_requirements(folder),
        *_of_other_upgrades(folder),
        *_of_early_commands(folder),
    ]


def _of_the_platform(folder: Path) -> Iterator[str]:
    """ebhook's hook looks for the virtual environment of the Python platform."""
    for name in _DOCKER:
        if (folder / name).is_file():
            yield (
                f"{name}: on a Docker platform the application is in a container, where no hook "
                "runs: let its entry point boot the databases"
            )
            break
    config = _text(folder / ".elasticbeanstalk/config.yml")
    named = re.search(r"^\s*default_platform:\s*['\"]?([^'\"\n]+)", config, re.M)
    if named is None or "docker" in named[1].lower():
        return
    python = re.search(r"python[ -](\d+)\.(\d+)", named[1], re.I)
    if python is None and "python" not in named[1].lower():
        yield f".elasticbeanstalk/config.yml: {named[1].strip()} has no Python for ebhook to run on"
    elif python is not None and (int(python[1]), int(python[2])) < (3, 11):
        yield (
            f".elasticbeanstalk/config.yml: {named[1].strip()} is older than Python 3.11, which "
            "ebhook needs: eb platform select"
        )


def _of_hooks(folder: Path) -> Iterator[str]:
    staged = _git(folder, "ls-files", "--stage", "--", ".platform")
    modes = {line.partition("\t")[2]: line[:6] for line in staged}
    for name in _platform_hooks(folder):
        path = folder / name
        if not path.stat().st_mode & 0o100:
            yield f"{name}: is not executable (older platforms need it): chmod +x {name}"
        elif modes.get(name) == "100644":
            yield f"{name}: git has it as not executable: git update-index --chmod=+x {name}"
        if b"\r\n" in path.read_bytes():
            yield f"{name}: has CRLF ends of lines (older platforms fail): dos2unix {name}"
    yield from _of_ends_of_lines(folder)


def _of_ends_of_lines(folder: Path) -> Iterator[str]:
    """What git makes of them when it writes the files, into a bundle as well."""
    names = [name for name in (*HOOKS, EXTENSION) if (folder / name).is_file()]
    if not names or (folder / ".ebignore").is_file():
        return
    attributes = _attributes(folder, ("eol", "text"), names)
    converts = next(iter(_git(folder, "config", "core.autocrlf")), "") == "true"
    for name in names:
        eol, text = attributes.get((name, "eol")), attributes.get((name, "text"))
        if eol == "crlf":
            yield f"{name}: .gitattributes gives it CRLF: add the line '{name} eol=lf'"
        elif converts and eol != "lf" and text != "unset":
            yield (
                f"{name}: core.autocrlf gives it CRLF in a bundle: add the line '{name} eol=lf' to "
                ".gitattributes"
            )


def _platform_hooks(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for kind in ("hooks", "confighooks")
        for path in (folder / ".platform" / kind).glob("*/*")
        if path.is_file()
    )


def _of_leaving_out(folder: Path) -> Iterator[str]:
    wanted = [name for name in TEMPLATES if (folder / name).is_file()]
    if (folder / ".ebignore").is_file():
        if shutil.which("git") is None:
            yield ".ebignore: could not be read as git reads it; see that it leaves no dot folder out"
        for name in _left_out(folder, wanted):
            yield f".ebignore leaves {name} out of the bundle: add the line '!/{_top(name)}'"
        return
    tracked = set(_git(folder, "ls-files", "--", *wanted)) if wanted else set()
    for name in _git(folder, "check-ignore", "--", *wanted) if wanted else ():
        if name not in tracked:  # what git has already, it goes on to have
            yield f".gitignore leaves {name} out of the bundle: add the line '!/{_top(name)}'"
    for (name, _), value in _attributes(folder, ("export-ignore",), wanted).items():
        if value == "set":
            yield (
                f".gitattributes leaves {name} out of the bundle: add the line "
                f"'/{name} -export-ignore'"
            )


def _top(name: str) -> str:
    return f"{name.split('/')[0]}/" if "/" in name else name


def _left_out(folder: Path, names: Iterable[str]) -> list[str]:
    """What an .ebignore leaves out. It is read as git reads .gitignore, and so by git."""
    with tempfile.TemporaryDirectory() as empty:
        _git(folder, "init", "--quiet", "--bare", empty)
        return _git(
            folder,
            f"--git-dir={empty}",
            f"--work-tree={folder}",
            *("ls-files", "--others", "--ignored", "--exclude-from=.ebignore", "--"),
            *names,
        )


def _attributes(
    folder: Path, attributes: Iterable[str], names: Iterable[str]
) -> dict[tuple[str, str], str]:
    """(file, attribute) → its value, as git knows it; a folder's counts for what is in it."""
    found: dict[tuple[str, str], str] = {}
    wanted = list(names)
    places = [*wanted, *{str(parent) for name in wanted for parent in Path(name).parents[:-1]}]
    if not places:
        return found
    for line in _git(folder, "check-attr", *attributes, "--", *places):
        name, attribute, value = line.rsplit(": ", 2)
        found[name, attribute] = value
    for name in wanted:
        for parent in map(str, Path(name).parents[:-1]):
            for attribute in attributes:
                if found.get((parent, attribute)) == "set":
                    found[name, attribute] = "set"
    return {key: value for key, value in found.items() if key[0] in wanted}


def _of_requirements(folder: Path) -> Iterator[str]:
    for name in _REQUIREMENTS:
        if (folder / name).is_file():
            if not _requires_ebhook(folder, name, set()):
                yield f"{name}: has no ebhook, and the hook finds none: add it"
            return


def _requires_ebhook(folder: Path, name: str, seen: set[str]) -> bool:
    """Does a file of requirements name ebhook: by name, as a wheel or an archive, from a repository, in
    another file (``-r``), or as what the application itself depends on (``-e .``)?"""
    if name in seen:
        return False
    seen.add(name)
    for line in _text(folder / name).splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip().strip("\"',")
        if re.match(r"ebhook\b(?!-)|ebhook-\d", text, re.I):
            return True
        if re.search(r"[/=](ebhook)([-_.@#]|$)", text, re.I):  # a wheel, an archive, git+https://…
            return True
        if re.search(r"[\[\"']ebhook\b(?!-)", line, re.I):  # a list of TOML
            return True
        included = re.match(r"(?:-r|--requirement)[ =]*(\S+)", text)
        if included:
            beside = str(Path(name).parent / included[1])
            if _requires_ebhook(folder, beside, seen):
                return True
        local = re.match(r"(?:-e|--editable)[ =]*(\S+)|(\.{1,2}(?:/\S*)?)$", text)
        if local:
            place = re.sub(r"\[.*", "", local[1] or local[2])
            for own in ("pyproject.toml", "setup.cfg", "setup.py"):
                if _requires_ebhook(folder, str(Path(name).parent / place / own), seen):
                    return True
    return False


def _of_other_upgrades(folder: Path) -> Iterator[str]:
    ours = {*TEMPLATES}
    extensions = [str(p.relative_to(folder)) for p in (folder / ".ebextensions").glob("*.config")]
    scripts = [
        str(path.relative_to(folder))
        for pattern in _ELSEWHERE
        for path in folder.glob(pattern)
        if path.is_file() and path.stat().st_size < _LARGEST_SCRIPT
    ]
    for name in dict.fromkeys([*_platform_hooks(folder), *sorted(extensions), *sorted(scripts)]):
        if name not in ours and _UPGRADE.search(_without_comments(_text(folder / name))):
            yield f"{name}: upgrades databases, too, and without a lock: take that out of it"


def _of_early_commands(folder: Path) -> Iterator[str]:
    """container_commands run before the predeploy hook: they meet the schema of the bundle before."""
    for path in sorted((folder / ".ebextensions").glob("*.config")):
        commands = re.split(r"^container_commands:", _text(path), flags=re.M)[1:]
        for block in commands:
            block = re.split(r"^\S", block, maxsplit=1, flags=re.M)[0]
            found = _NEEDS_SCHEMA.search(_without_comments(block))
            if found:
                yield (
                    f".ebextensions/{path.name}: '{found[0]}' is a container_command, which runs "
                    "before ebhook: where it needs the new schema, make it a hook in "
                    ".platform/hooks/predeploy that comes after 50_ebhook.sh"
                )


def _without_comments(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text)


def _text(path: Path) -> str:
    """A file's text; empty where there is none."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _git(folder: Path, *arguments: str) -> list[str]:
    """The lines that git prints; none where there is no git, or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
