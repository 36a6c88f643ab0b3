"""Corrected code: Alembic code for types, edits to the user's own statements, a right downgrade()."""
