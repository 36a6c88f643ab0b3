"""Settings that are each fine, and not together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ebhook.settings.schema import OF_AWS, SOURCES, default_of
from ebhook.settings.values import Given, similar

WAVES = ("canary", "rest")  # those that are there anyway


def contradictions(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    sources = [key for key in SOURCES if values.get(key)]
    if len(sources) > 1:
        yield f"{' and '.join(sources)}: more than one source of tenants; keep one"
    of_aws = bool(sources) and sources[0] in OF_AWS
    url = values.get("tenants.url")
    if url is not None and sources and not of_aws and "{tenant}" not in url.reveal():
        yield (
            f"tenants.url (from {given['tenants.url'].origin}): has no {{tenant}}, "
            f"but {sources[0]} gives several tenants"
        )
    if "tenants.url" not in given and sources and not of_aws and sources != ["tenants.query"]:
        yield f"{sources[0]}: needs tenants.url, a URL with {{tenant}}"
    wrong = given.keys() - values.keys()  # said already
    if url is not None and not sources and not wrong & {*SOURCES} and "{tenant}" in url.reveal():
        yield "tenants.url: has {tenant}; give tenants.names, tenants.like or tenants.query"
    if ("tenants.query" in given) != ("tenants.query_url" in given):
        yield "tenants.query and tenants.query_url: one is set without the other"
    if "=" not in values.get("tenants.secrets_tag", "="):
        yield f"tenants.secrets_tag (from {given['tenants.secrets_tag'].origin}): must be KEY=VALUE"
    yield from _contradictory_logins(values, given)
    names = values.get("tenants.names", ())
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"tenants.names (from {given['tenants.names'].origin}): lists {name!r} twice"
    for name in values.get("rollout.canary") or ():
        if names and name not in names:
            origin = given["rollout.canary"].origin
            yield (
                f"rollout.canary (from {origin}): {name!r} is not in tenants.names"
                f"{similar(name, names)}"
            )
    yield from _contradictory_waves(values, given)
    tables: dict[str, str] = {}
    for key in ("version_table", "lock.table", "journal.table"):
        table = values.get(key, default_of(key)).lower()
        if table in tables:
            yield f"{key}: is the same as {tables[table]}"
        tables.setdefault(table, key)


def _contradictory_logins(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    tokens = values.get("tenants.iam", False)
    if tokens and values.get("tenants.password_secret"):
        yield "tenants.iam and tenants.password_secret: a token, or a password; keep one"
    url = values.get("tenants.url")
    verify, ca = values.get("tls.verify"), "tls.ca" in given
    ca = ca or (url is not None and "ssl_ca" in url.reveal())
    if tokens and (verify in ("ca", "off") or not (ca or verify)):
        yield "tenants.iam: sends a password as it is, and so needs tls.ca, and tls.verify = full"


def _contradictory_waves(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    waves = values.get("rollout.waves") or ()
    where = f"rollout.waves (from {given['rollout.waves'].origin})" if waves else ""
    names = [wave.name for wave in waves]
    for name in sorted({name for name in names if names.count(name) > 1 or name in WAVES}):
        yield f"{where}: {name!r} is the name of more than one wave"
    for wave in waves:
        if not wave.tenants and wave.group is None:
            yield f"{where}: {wave.name!r} has neither tenants nor group"
        if wave.group is not None and not values.get("tenants.query"):
            yield f"{where}: {wave.name!r} has a group, which only tenants.query tells"
