"""Views, triggers, routines and events from information_schema."""

from __future__ import annotations

from collections.abc import Collection

from ebhook.database.connection import quoted
from ebhook.drift.catalog_query import CatalogQuery, Draft, type_of


def read_views(query: CatalogQuery, drafts: dict[str, Draft]) -> None:
    names = {id(draft): schema for schema, draft in drafts.items()}
    for draft, name, text, check, security in query.each(
        drafts,
        "table_name, view_definition, check_option, security_type",
        "information_schema.views",
    ):
        own = f"{quoted(names[id(draft)])}."  # which database says nothing of what it is
        more = "" if check == "NONE" else f" WITH {check} CHECK OPTION"
        draft.others[f"view {name}"] = (
            f"SQL SECURITY {security} {(text or '').replace(own, '')}{more}"
        )


def read_triggers(
    query: CatalogQuery,
    drafts: dict[str, Draft],
    ignore: Collection[str],
    only: Collection[str] | None,
) -> None:
    for draft, name, timing, event, table, nth, body in query.each(
        drafts,
        "trigger_name, action_timing, event_manipulation, event_object_table, action_order, "
        "action_statement",
        "information_schema.triggers",
        schema="event_object_schema",  # by which MariaDB can look up; a trigger is where its table is
        table="event_object_table",
        only=only,
    ):
        if table not in ignore:
            draft.others[f"trigger {name}"] = f"{timing} {event} ON {quoted(table)} ({nth}) {body}"


def read_routines(query: CatalogQuery, drafts: dict[str, Draft]) -> None:
    given: dict[tuple[int, str, str], list[str]] = {}
    for draft, kind, name, nth, mode, parameter, type in query.each(
        drafts,
        "routine_type AS kind, specific_name AS name, ordinal_position AS nth, parameter_mode, "
        "parameter_name, dtd_identifier",
        "information_schema.parameters",
        schema="specific_schema",
        table="specific_name",
        order="place, kind, name, nth",
    ):
        parts = (mode or "", quoted(parameter) if parameter else "", type_of(str(type)))
        text = " ".join(part for part in parts if part)
        given.setdefault((id(draft), kind, name), []).append(text if nth else f"RETURNS {text}")
    for draft, kind, name, body, sure, access, security in query.each(
        drafts,
        "routine_type, routine_name, routine_definition, is_deterministic, sql_data_access, "
        "security_type",
        "information_schema.routines",
        schema="routine_schema",
        table="routine_name",
    ):
        words = ", ".join(given.get((id(draft), kind, name), ()))
        about = f"{'DETERMINISTIC ' if sure == 'YES' else ''}{access} SQL SECURITY {security}"
        text = "(its body is not shown to this login)" if body is None else body
        draft.others[f"{kind.lower()} {name}"] = f"({words}) {about} {text}"


def read_events(query: CatalogQuery, drafts: dict[str, Draft]) -> None:
    for draft, name, kind, at, every, unit, status, body in query.each(
        drafts,
        "event_name, event_type, execute_at, interval_value, interval_field, status, "
        "event_definition",
        "information_schema.events",
        schema="event_schema",
        table="event_name",
    ):
        when = f"EVERY {every} {unit}" if kind == "RECURRING" else f"AT {at}"
        draft.others[f"event {name}"] = f"{when} {status} DO {body}"
