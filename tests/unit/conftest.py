"""Hypothesis, on machines that are busy with database servers."""

from __future__ import annotations

from hypothesis import settings

# How long one example takes says something about the machine, and nothing about ebhook.
settings.register_profile("ebhook", deadline=None)
settings.load_profile("ebhook")
