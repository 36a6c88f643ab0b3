"""Findings for people: a table of all, and below it what to do about each that is not well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ebhook.doctor.finding import DoctorFinding, Level
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import table

FEW = 3  # of one kind that stay by themselves
WIDTH = 100  # characters of a problem in the table; the rest is below


def as_text(findings: Sequence[DoctorFinding], commands: NextCommands) -> str:
    """A fleet has hundreds of findings that say the same; they are told once."""
    groups = _grouped(findings)
    parts = [table(("", "check", "of", "found"), [group.row for group in groups])]
    parts += [group.remedy(commands) for group in groups if group.first.next]
    sums = Counter(finding.level for finding in findings)
    parts.append(", ".join(f"{sums[level]} {level.value}" for level in Level))
    return "\n\n".join(parts)


@dataclass
class _Group:
    """Findings that are told as one."""

    findings: list[DoctorFinding] = field(default_factory=list)

    @property
    def first(self) -> DoctorFinding:
        return self.findings[0]

    @property
    def row(self) -> tuple[str, str, str, str]:
        found = (
            self._well() if self.first.level is Level.OK else _cut(self._common(self.first.text))
        )
        return self.first.level.value, self.first.check, self._subjects(1), found

    def remedy(self, commands: NextCommands) -> str:
        who, first = self._subjects(10), self.first
        names = list(dict.fromkeys(finding.subject for finding in self.findings))
        next = first.next.map(self._common).for_any(first.subject).for_all(names)
        return f"{first.check} {who}: {self._common(first.text)}\n  {commands.text(next)}"

    def _subjects(self, most: int) -> str:
        names = list(dict.fromkeys(finding.subject for finding in self.findings))
        if len(names) <= most:
            return ", ".join(names)
        return f"{', '.join(names[:most])} and {len(names) - most} more"

    def _common(self, text: str) -> str:
        return text if len(self.findings) == 1 else text.replace(self.first.subject, "TENANT")

    def _well(self) -> str:
        texts = Counter(finding.text for finding in self.findings)
        if len(texts) > FEW:
            return f"all {len(self.findings)} well"
        if len(self.findings) == 1:
            return self.first.text
        return "; ".join(f"{text} ({number})" for text, number in texts.items())


def _grouped(findings: Iterable[DoctorFinding]) -> list[_Group]:
    """In the order in which each came first: what is well by check, the rest by what it says."""
    findings = list(findings)
    well = Counter(finding.check for finding in findings if finding.level is Level.OK)
    groups: dict[object, _Group] = {}
    for number, finding in enumerate(findings):
        key: object = number
        if finding.level is not Level.OK:
            text = finding.text.replace(finding.subject, "")
            next = finding.next.for_any(finding.subject)
            said = next.map(lambda text, name=finding.subject: text.replace(name, ""))  # type: ignore[misc]
            key = (finding.level, finding.check, text, said)
        elif well[finding.check] > FEW:
            key = finding.check
        groups.setdefault(key, _Group()).findings.append(finding)
    return list(groups.values())


def _cut(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= WIDTH and line == text else line[:WIDTH] + " …"
