"""New version files: what the models have and the chain lacks, a merge, or an empty one."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.autogenerate.api import RevisionContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, rev_id

from ebhook.authoring.additive import Kept, Question, keep_additions
from ebhook.authoring.scratch_chain import connect_to
from ebhook.errors import ChainBroken, EbhookError
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.alembic_config import alembic_config
from ebhook.upgrade.engine_handover import GivenConnection
from ebhook.upgrade.project import Project

if TYPE_CHECKING:
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext

FILE_TEMPLATE = "%(rev)s_%(slug)s"
SLUG_LENGTH = 60
_NOTHING = Kept((), (), ())

Answer = Callable[[Question, str | None], str]


@dataclass(frozen=True)
class Generated:
    """The files that were written (none: there was nothing to write), and what is in them."""

    files: tuple[Path, ...]
    kept: Kept


def autogenerate(project: Project, tenant: Tenant, message: str, answer: Answer) -> Generated:
    """Compares the models with the database of `tenant`, which is at head, and writes a revision.

    env.py says what is compared, and how: its target_metadata, include_object, include_name and
    process_revision_directives are kept. What it leaves is filtered after that.

    Raises:
        ChainBroken: env.py fails, or names no models.
        UsageFailed: from `answer`.
    """
    _ensure_template(project.settings)
    _say_autogenerate(project.config, message)
    hide = ebhooks_own(project.settings)
    told = [_NOTHING]
    revision = RevisionContext(
        project.config,
        project.script,
        {
            "message": message,
            "autogenerate": True,
            "sql": False,
            "head": "head",
            "splice": False,
            "branch_label": None,
            "version_path": None,
            "rev_id": None,
            "depends_on": None,
        },
    )

    def compare(at: Any, context: MigrationContext) -> list[Any]:
        if context.opts.get("target_metadata") is None:
            raise ChainBroken(
                f"{project.env_py} gives no target_metadata to context.configure.",
                "Nothing was written.",
                then(
                    "Name the models' MetaData there; or write a revision by hand: ",
                    ebhook("migrate", words=["--empty", "-m", "JMS-1234 …"]),
                ),
            )
        compose(
            context.opts,
            hide,
            lambda scripts: told.__setitem__(0, leave_additions(scripts, answer)),
        )
        revision.run_autogenerate(at, context)
        return []

    logging.disable(logging.INFO)  # Alembic's own account of what it compares
    with closing(connect_to(tenant, project.settings)) as connection:
        engine = sa.create_engine(
            "mysql+pymysql://", creator=lambda: connection, poolclass=sa.pool.StaticPool
        )
        with engine.connect() as locked:
            try:
                project.run(
                    GivenConnection(locked),
                    tenant.url,
                    target=project.chain.head,
                    steps=compare,
                    on_version_apply=lambda **_: None,
                )
                scripts = list(_with_names(project.script, revision.generate_scripts))
            except EbhookError:
                raise
            except (Exception, SystemExit) as error:  # whatever env.py or the template raises
                raise project.env_failed(error) from None
    files = tuple(Path(one.path) for one in scripts if one is not None)
    return Generated(files, told[0])


def write_empty(settings: Settings, message: str) -> Path:
    """A revision on the head, to be filled by hand."""
    return _write(settings, message, "head")


def write_merge(settings: Settings, message: str, heads: Sequence[str]) -> Path:
    """The revision that joins `heads`."""
    return _write(settings, message, list(heads))


def _write(settings: Settings, message: str, head: Any) -> Path:
    """Writes a version file without running env.py. Raises `ChainBroken`."""
    _ensure_template(settings)
    try:
        script = script_directory(settings)

        def write() -> list[Script | None]:
            return [
                script.generate_revision(
                    rev_id(), message, refresh=True, head=head, config=alembic_config(settings)
                )
            ]

        (written,) = _with_names(script, write)
    except CommandError as error:
        raise ChainBroken(
            f"Alembic cannot write the revision: {error}",
            "Nothing was written.",
            then("See: ", ebhook("chain")),
        ) from None
    assert written is not None
    return Path(written.path)


# What env.py says, and what ebhook adds


def ebhooks_own(settings: Settings) -> frozenset[str]:
    """The tables that no model has and no revision may touch."""
    return frozenset({settings.version_table, settings.lock.table, settings.journal.table})


def compose(
    options: dict[str, Any],
    hide: Collection[str],
    then: Callable[[list[MigrationScript]], object],
) -> None:
    """Adds to an env.py's options for `context.configure`: tables to hide, and what is done with
    the proposals once its own hook has had them."""
    their_object, their_name = options.get("include_object"), options.get("include_name")
    their_hook = options.get("process_revision_directives")

    def include_object(item: Any, name: Any, kind: str, reflected: bool, to: Any) -> bool:
        hidden = kind == "table" and name in hide
        return not hidden and (
            their_object is None or bool(their_object(item, name, kind, reflected, to))
        )

    def include_name(name: Any, kind: str, parents: Any) -> bool:
        hidden = kind == "table" and name in hide
        return not hidden and (their_name is None or bool(their_name(name, kind, parents)))

    def process(context: Any, revision: Any, directives: list[MigrationScript]) -> None:
        if their_hook is not None:
            their_hook(context, revision, directives)
        then(directives)

    options["include_object"] = include_object
    options["include_name"] = include_name
    options["process_revision_directives"] = process


def leave_additions(scripts: list[MigrationScript], answer: Answer) -> Kept:
    """Filters `scripts`, in place: one that adds nothing is taken out altogether."""
    kept = [keep_additions(script, answer) for script in scripts]
    scripts[:] = [script for script, one in zip(scripts, kept, strict=True) if one.does]
    return Kept(
        tuple(item for one in kept for item in one.does),
        tuple(item for one in kept for item in one.left_out),
        tuple(item for one in kept for item in one.corrected),
    )


# Alembic's side


def script_directory(settings: Settings) -> ScriptDirectory:
    """Alembic's view of the folder, without the application."""
    return ScriptDirectory.from_config(alembic_config(settings))


def _with_names(script: ScriptDirectory, write: Callable[[], Any]) -> list[Script | None]:
    """Files are called ``<rev>_jms_1234_add_my_new_table.py``, unless alembic.ini says otherwise."""
    script.messaging_opts = {"quiet": True}
    ini = script.file_template
    if "%(slug)s" not in ini or ini == FILE_TEMPLATE:
        script.file_template = FILE_TEMPLATE
        script.truncate_slug_length = max(script.truncate_slug_length, SLUG_LENGTH)
    return list(write())


def _ensure_template(settings: Settings) -> None:
    """New revisions are made from script.py.mako: Alembic's own, where the folder has none yet."""
    template = settings.folder / "script.py.mako"
    if not template.is_file():
        import alembic

        own = Path(alembic.__file__).parent / "templates/generic/script.py.mako"
        template.write_bytes(own.read_bytes())


def _say_autogenerate(config: Any, message: str) -> None:
    """What env.py may ask of the command line that it thinks it runs under."""
    options: Any = config.cmd_opts or argparse.Namespace(x=[])
    options.autogenerate, options.message = True, message
    config.cmd_opts = options
