"""Corrected code: what undoes a change, and edits to the user's own statements."""
