"""Judging a chain before it is deployed: `check` in `ebhook.lint.checking`; one rule a file in rules/."""
