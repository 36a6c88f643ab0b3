"""The demo's board: agencies by instances, who is at work where, and the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ebhook.report.screen import said_seconds, width_of

_CELL = 19  # columns for each instance: three of them, and the agencies' names, are 80


class Board:
    """What instances told of the tenants so far, as lines for a screen."""

    def __init__(self, tenants: Sequence[str], instances: Sequence[str]) -> None:
        self._tenants = tuple(tenants)
        self._instances = tuple(instances)
        self._cells: dict[tuple[str, str], str] = {}
        self._holders: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self.done: dict[str, Counter[str]] = {name: Counter() for name in instances}

    def holds(self, instance: str) -> list[str]:
        """The tenants that an instance has the lock of now."""
        return [tenant for tenant, holder in self._holders.items() if holder == instance]

    def tell(self, instance: str, event: Mapping[str, Any]) -> None:
        """One event of an instance's log."""
        tenant = event.get("tenant")
        if not isinstance(tenant, str):
            return
        text = self._text(instance, tenant, event)
        if text is not None:
            self._cells[tenant, instance] = text

    def end(self, instance: str, note: str) -> None:
        """The instance has ended; what it held is free."""
        self._notes[instance] = note
        for tenant in self.holds(instance):
            del self._holders[tenant]
            self._cells[tenant, instance] = f"✗ {note} here"

    def lines(self, seconds: float) -> list[str]:
        """The board as it is, with its clock."""
        heads = [f"{name} {self._notes.get(name, '')}".rstrip() for name in self._instances]
        rows = [[said_seconds(seconds), *heads]]
        for tenant in self._tenants:
            rows.append([tenant, *(self._cells.get((tenant, i), "") for i in self._instances)])
        widest = max(map(width_of, (row[0] for row in rows)))
        return [
            "  ".join(
                [row[0].ljust(widest), *(_cut(cell).ljust(_CELL) for cell in row[1:])]
            ).rstrip()
            for row in rows
        ]

    def _text(self, instance: str, tenant: str, event: Mapping[str, Any]) -> str | None:
        match event["event"]:
            case "LockTaken":
                self._holders[tenant] = instance
                return "▶ locked"
            case "LockTakenOver":
                return f"▶ after {str(event['holder']).partition(':')[0]}"
            case "RevisionStarted":
                return f"▶ {event['number']} of {event['of']}: {event['revision']}"
            case "PutBack":
                holder = self._holders.get(tenant)
                return f"· {holder} has it" if holder not in (None, instance) else "· later"
            case "TenantDone":
                self._holders.pop(tenant, None)
                outcome = str(event["outcome"]).replace("_", " ")
                self.done[instance][outcome] += 1
                if outcome == "at head":
                    return "· is at head"
                return f"✓ {outcome} {said_seconds(float(event['seconds']))}"
            case _:
                return None


def _cut(cell: str) -> str:
    return cell if len(cell) <= _CELL else cell[: _CELL - 1] + "…"
