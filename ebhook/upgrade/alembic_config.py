"""Alembic's Config, as the application's own tools would make it."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from typing import Any

from alembic import command
from alembic.config import Config

from ebhook.chain.folder import ini_file, toml_file, version_folders
from ebhook.settings import Settings


def alembic_config(settings: Settings, app: Any = None) -> Config:
    """Alembic's Config, as the application's own tools would make it; `app` is a Flask one.

    ``cmd_opts`` is what ``alembic upgrade head`` has, with the `alembic.x` of the settings as its ``-x``.
    """
    migrate = app.extensions.get("migrate") if app is not None else None
    if migrate is not None:
        with app.app_context():
            config: Config = migrate.migrate.get_config(str(settings.folder))
    else:
        ini = ini_file(settings.folder)
        toml = toml_file(settings.folder)
        given: dict[str, Any] = {}
        if toml is not None and "toml_file" in inspect.signature(Config).parameters:  # since 1.16
            given["toml_file"] = str(toml)
        config = Config(str(ini) if ini else None, **given)
    config.set_main_option("script_location", str(settings.folder).replace("%", "%%"))
    places = [str(place) for place in version_folders(settings.folder)]
    before = config.get_main_option("prepend_sys_path")
    separator = {"os": os.pathsep, "space": " ", "newline": "\n"}.get(
        config.get_main_option("path_separator") or "", config.get_main_option("path_separator")
    )
    for option in ("path_separator", "version_path_separator"):  # the latter before Alembic 1.16
        config.set_main_option(option, "newline")
    if before:  # it is split by the same separator
        parts = before.split(separator) if separator else re.split(r"[,: ]+", before)
        config.set_main_option("prepend_sys_path", "\n".join(parts).replace("%", "%%"))
    config.cmd_opts = argparse.Namespace(**{
        "config": config.config_file_name,
        "name": config.config_ini_section,
        "raiseerr": None,
        "quiet": False,
        "cmd": (command.upgrade, ["revision"], ["sql", "tag"]),
        "revision": "head",
        "sql": False,
        "tag": None,
        **vars(config.cmd_opts or argparse.Namespace()),
        "x": list(settings.alembic.x) or None,
    })  # fmt: skip
    config.set_main_option("version_locations", "\n".join(places).replace("%", "%%"))
    return config
