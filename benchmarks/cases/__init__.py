"""One situation a file. To add one, write its file and put it into ALL."""

from collections.abc import Callable, Mapping

from benchmarks.cases.at_head import at_head
from benchmarks.cases.behind import behind
from benchmarks.cases.journal import journal
from benchmarks.cases.thousand import thousand
from benchmarks.lab import Lab
from benchmarks.measure import Case

ALL: Mapping[str, Callable[[Lab], Case]] = {
    "at-head": at_head,
    "behind": behind,
    "journal": journal,
    "thousand": thousand,
}
