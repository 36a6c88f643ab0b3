"""What TLS the settings ask of a tenant's URL."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

from ebhook.database.tls import _FILES, _VERIFY
from ebhook.database.url import Url
from ebhook.errors import SettingsFailed
from ebhook.next_command import ebhook, then
from ebhook.settings import TlsSettings


def secured(url: Url, tls: TlsSettings, root: Path) -> Url:
    """`url` with what the settings demand; what it says for itself counts more.

    Args:
        root: the folder that relative paths start from.

    Raises:
        SettingsFailed: a file is not there.
    """
    if "unix_socket" in url.options:
        return url
    options = dict(url.options)
    own = any(name.startswith("ssl_") for name in options)
    if not own:
        if tls.verify == "off":
            options["ssl_check_hostname"] = "false"
        elif tls.ca or tls.verify:
            options["ssl_ca"] = tls.ca or _system()
            if tls.verify == "ca":
                options["ssl_check_hostname"] = "false"
    # The certificate and the name are verified with a CA anyway; left in, they would undo it.
    asked = [options.pop(name, "").lower() in ("true", "1", "yes") for name in _VERIFY]
    if any(asked) and not {"ssl_ca", "ssl_capath"} & options.keys():
        options["ssl_ca"] = _system()
    for name in _FILES:
        if name in options:
            path = root / options[name]
            if not path.exists():
                said = "the URL's" if own else "tls.ca:"
                raise SettingsFailed(
                    f"{said} {options[name]}: there is no such file in {root}.",
                    "No database was contacted.",
                    then("Put it there, or mend its path: ", ebhook("config")),
                )
            options[name] = str(path)
    return url if options == url.options else replace(url, options=options)


def _system() -> str:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or ""
