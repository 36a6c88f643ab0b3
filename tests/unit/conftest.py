"""Hypothesis, on machines that are busy with database servers."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

# How long one example takes says something about the machine, and nothing about ebhook.
settings.register_profile("ebhook", deadline=None)
settings.load_profile("ebhook")

# A folder .hypothesis at the root is a warning to pytest, and so a failure.
set_hypothesis_home_dir(Path(__file__).parents[2] / ".pytest_cache" / "hypothesis")
