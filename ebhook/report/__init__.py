"""Events and outcomes for people and programs: lines, a live display, tables, JSON.

lines       an event as a line
hiding      what no text may have
reporter    where events go
documents   JSON, a contract with scripts
tables      what a person reads in the end
"""

from ebhook.report.documents import (
    error_document,
    half_document,
    lock_document,
    print_json,
    rollout_document,
    status_document,
    unread_documents,
)
from ebhook.report.lines import WORDS, count, line_of
from ebhook.report.reporter import Reporter
from ebhook.report.tables import lock_text, problems_text, rollout_text, status_text, table

__all__ = [
    "WORDS",
    "Reporter",
    "count",
    "error_document",
    "half_document",
    "line_of",
    "lock_document",
    "lock_text",
    "print_json",
    "problems_text",
    "rollout_document",
    "rollout_text",
    "status_document",
    "status_text",
    "table",
    "unread_documents",
]
