"""EBH093: an allow comment without a reason, or of a rule that there is not."""

from __future__ import annotations

from ebhook.lint.finding import Rule

# Checked where comments are read, in ebhook.lint.allow: it needs to know all rules.
RULE = Rule("EBH093", "an allow comment without a reason, or without a rule")
