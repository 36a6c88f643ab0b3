"""What a boot tells the world: its metrics, and a notice when it failed.

The metrics go into the log as they are, in CloudWatch's embedded metric format: whoever ships the log
to CloudWatch Logs has them. A notice that cannot be sent never fails a boot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ebhook.errors import EbhookError, Exit
from ebhook.events import Outcome
from ebhook.holder import Holder
from ebhook.next_command import ebhook
from ebhook.report.documents import error_document
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands, plain
from ebhook.results import Result
from ebhook.settings import Settings

if TYPE_CHECKING:
    from ebhook.aws.client import Account

TOLD = 50  # tenants in a notice
LONGEST = 60_000  # characters of its text: SNS takes 256 KiB
# Bytes of an event's detail: EventBridge takes entries of 256 KiB, the other fields included.
LARGEST_DETAIL = 240_000
_TEXTS = (4000, 1000, 200)  # characters that each text of the detail is cut to, until it fits

Hidden = Callable[[Any], Any]


@dataclass(frozen=True)
class Ended:
    """How a boot ended. `starts`: the instance may start although `code` is not 0; `error` is what
    came before any tenant's own. `trial`: nothing did; the notices are being tried."""

    head: str | None
    results: Sequence[Result]
    behind: int
    seconds: float
    code: Exit
    starts: bool
    holder: Holder
    error: EbhookError | None = None
    trial: bool = False
    commands: NextCommands = field(default_factory=NextCommands)

    @property
    def bad(self) -> list[Result]:
        """Those not at head; what was only not started comes after what it was not started for."""
        bad = [result for result in self.results if not result.outcome.good]
        return sorted(bad, key=lambda result: result.outcome is Outcome.SKIPPED)


# Metrics


def metrics(ended: Ended) -> dict[str, tuple[float, str]]:
    """Name → value and unit. Each outcome has a metric, also when it is 0."""
    outcomes = [result.outcome for result in ended.results]
    counted = {_camel(outcome): float(outcomes.count(outcome)) for outcome in Outcome}
    counts = {
        "Tenants": float(len(outcomes)),
        "Behind": float(ended.behind),
        **counted,
        "BootFailed": float(ended.code is not Exit.OK),
    }
    return {
        "Seconds": (round(ended.seconds, 3), "Seconds"),
        **{name: (value, "Count") for name, value in counts.items()},
    }


def metric_line(ended: Ended, namespace: str) -> dict[str, Any]:
    """The metrics of a boot as a line of its log, in CloudWatch's embedded metric format."""
    measured = metrics(ended)
    dimensions = _dimensions(ended)
    return {
        "event": "Metrics",
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [list(dimensions)],
                    "Metrics": [
                        {"Name": name, "Unit": unit} for name, (_, unit) in measured.items()
                    ],
                }
            ],
        },
        **dimensions,
        "Instance": ended.holder.name,
        "VersionLabel": ended.holder.version_label,
        "Head": ended.head,
        **{name: value for name, (value, _) in measured.items()},
    }


def metric_data(ended: Ended) -> list[dict[str, Any]]:
    """The same for PutMetricData."""
    dimensions = [{"Name": name, "Value": value} for name, value in _dimensions(ended).items()]
    return [
        {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": dimensions}
        for name, (value, unit) in metrics(ended).items()
    ]


def _dimensions(ended: Ended) -> dict[str, str]:
    return {"Environment": ended.holder.environment} if ended.holder.environment else {}


def _camel(outcome: Outcome) -> str:
    return outcome.value.title().replace("_", "")


# Notices


def subject(ended: Ended, hidden: Hidden) -> str:
    """One line of ASCII, at most 100 characters: what SNS takes.

    Args:
        hidden: takes the known passwords out; of half a one, after the cut, it would know nothing.
    """
    who = ended.holder.name
    if ended.holder.environment:
        who += f" ({ended.holder.environment})"
    what = f"{len(ended.bad)} of {count(len(ended.results), 'tenant')} not at head"
    if ended.error is not None:
        what = ended.error.what.partition("\n")[0].rstrip(":.")
    line = f"ebhook boot failed on {who}: {what}"
    if ended.code is Exit.OK:
        upgraded = sum(result.outcome is Outcome.UPGRADED for result in ended.results)
        line = (
            f"ebhook boot on {who}: {count(len(ended.results), 'tenant')} at head, "
            f"{upgraded} of them upgraded"
        )
    if ended.trial:
        line = f"ebhook doctor on {who}: a trial, nothing failed"
    return str(hidden(line)).encode("ascii", "replace").decode()[:100]


def text(ended: Ended, hidden: Hidden) -> str:
    """For people: each tenant's problem in its three parts."""
    parts = [subject(ended, hidden)]
    label = ended.holder.version_label
    parts.append(f"bundle {label or '-'}, head {ended.head or '-'}, exit code {int(ended.code)}")
    if ended.starts:
        parts.append(
            "The instance starts all the same: boot.on_failure, boot.on_unreachable, boot.on_frozen."
        )
    problems = [ended.error] if ended.error is not None else [r.error for r in ended.bad]
    parts += [
        _in_lines(problem, ended.commands) for problem in problems[:TOLD] if problem is not None
    ]
    if len(problems) > TOLD:
        see = ended.commands.command(ebhook("status"))
        parts.append(plain(f"and {len(problems) - TOLD} more: {see}"))
    return str(hidden("\n\n".join(parts)))[:LONGEST]


def _in_lines(error: EbhookError, commands: NextCommands) -> str:
    more = [f"  {part}" for part in (error.state, commands.plain(error.next)) if part]
    return "\n".join([error.what.rstrip(), *more])


def detail(ended: Ended) -> dict[str, Any]:
    """For programs: the detail of the event."""
    holder = ended.holder
    return {
        "instance": holder.name,
        "environment": holder.environment,
        "version_label": holder.version_label,
        "head": ended.head,
        "exit_code": int(ended.code),
        "started_all_the_same": ended.starts,
        "seconds": round(ended.seconds, 3),
        "not_at_head": len(ended.bad),
        "error": error_document(ended.error, ended.commands) if ended.error is not None else None,
        "tenants": [
            {
                "tenant": result.tenant,
                "outcome": result.outcome.value,
                "before": result.before,
                "after": result.after,
                "error": (
                    error_document(result.error, ended.commands)
                    if result.error is not None
                    else None
                ),
            }
            for result in ended.bad[:TOLD]
        ],
    }


def fitting(document: dict[str, Any]) -> str:
    """The detail of an event as JSON, with its texts cut as far as EventBridge's limit wants.

    Args:
        document: with its passwords hidden already: half a password is not recognised.
    """
    for most in (None, *_TEXTS):
        text = msgspec.json.encode(document if most is None else _cut(document, most))
        if len(text) <= LARGEST_DETAIL:
            break
    return text.decode()


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= most else value[:most] + "…"
    if isinstance(value, dict):
        return {name: _cut(one, most) for name, one in value.items()}
    if isinstance(value, list):
        return [_cut(one, most) for one in value]
    return value


def send(ended: Ended, settings: Settings, hidden: Hidden) -> list[str]:
    """Sends what the settings want to whom they want it sent to.

    Args:
        hidden: takes the known passwords out of a document.

    Returns:
        What could not be sent, in words.
    """
    problems = []
    for what, tell in _wanted(ended, settings, hidden):
        try:
            tell()
        except EbhookError as error:
            problems.append(f"{what} not sent: {error.what} {ended.commands.plain(error.next)}")
        except Exception as error:  # of boto3's, of a parameter that it does not take
            problems.append(f"{what} not sent: {type(error).__name__}: {error}")
    return problems


def _wanted(
    ended: Ended, settings: Settings, hidden: Hidden
) -> Iterator[tuple[str, Callable[[], None]]]:
    notice, failed = settings.notice, ended.code is not Exit.OK
    tells = failed or ended.trial or notice.success
    if not (notice.cloudwatch or (tells and (notice.sns or notice.event_bus))):
        return

    def account() -> Account:
        from ebhook.aws.client import account_of

        return account_of(settings)

    def put_metrics() -> None:
        from ebhook.aws.client import put_metrics

        put_metrics(notice.namespace, metric_data(ended), account())

    def publish() -> None:
        from ebhook.aws.client import publish

        publish(str(notice.sns), subject(ended, hidden), text(ended, hidden), account())

    def put_event() -> None:
        from ebhook.aws.client import put_event

        document = fitting(hidden(detail(ended)))
        kind = "ebhook boot failed" if failed else "ebhook boot succeeded"
        kind = "ebhook trial" if ended.trial else kind
        put_event(str(notice.event_bus), kind, document, account())

    if notice.cloudwatch:
        yield "The metrics were", put_metrics
    if tells and notice.sns:
        yield f"The notice to {notice.sns} was", publish
    if tells and notice.event_bus:
        yield f"The notice to {notice.event_bus} was", put_event
