"""EBH094: an allow comment that allows nothing."""

from __future__ import annotations

from ebhook.lint.finding import Rule

# Checked where comments are read, in ebhook.lint.allow: it needs to know all findings.
RULE = Rule("EBH094", "an allow comment that allows nothing")
