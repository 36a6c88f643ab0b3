"""When what still runs is ended: after the grace, or now."""

from __future__ import annotations

import pytest

from ebhook.concurrency import Budget
from ebhook.rollout.ending import EndingStep, Escalation

DEADLINE, GRACE = 100.0, 20.0


@pytest.mark.parametrize(
    ("signals", "at"),
    [
        ([], DEADLINE + GRACE),
        ([10.0], 10.0 + GRACE),
        ([10.0, 12.0], 12.0),
        ([10.0, 11.0, 12.0], 11.0),
        ([115.0], DEADLINE + GRACE),  # a late signal gives no more time
    ],
)
def test_the_grace_counts_from_the_first_signal_and_ends_with_the_second(
    signals: list[float], at: float
) -> None:
    """Without a signal it counts from the deadline."""
    escalation = Escalation(Budget(DEADLINE, GRACE))
    for count, moment in enumerate(signals, start=1):
        escalation.signalled(count, moment)

    assert escalation.wake_at() == at
    assert escalation.due(at - 0.01) == []
    assert escalation.is_patient
    assert escalation.due(at) == [EndingStep.END_STATEMENTS]
    assert escalation.due(at) == []
    assert escalation.wake_at() == at + EndingStep.KILL_WORKERS.value
    assert escalation.due(at + 60) == [EndingStep.KILL_WORKERS, EndingStep.GIVE_UP]
    assert escalation.is_over
    assert escalation.wake_at() is None
