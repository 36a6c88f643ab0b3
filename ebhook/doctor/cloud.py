"""AWS: as whom we ask, and whether what a boot may ask of it is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ebhook.database.credential import Credential
from ebhook.doctor.finding import DoctorFinding, failed, ok, warn
from ebhook.errors import EbhookError
from ebhook.next_command import then
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def is_wanted(settings: Settings) -> bool:
    """Do the settings ask for anything of AWS?"""
    tenants, notice = settings.tenants, settings.notice
    return bool(
        tenants.ssm_path
        or tenants.secrets
        or tenants.secrets_prefix
        or tenants.secrets_tag
        or tenants.password_secret
        or tenants.iam
        or notice.cloudwatch
        or notice.sns
        or notice.event_bus
    )


def examine_aws(
    settings: Settings, tenants: Sequence[Tenant], send: Callable[[], list[str]] | None
) -> Iterator[DoctorFinding]:
    """
    Args:
        tenants: as they were found; one of each kind of login is read again, as after a rotation.
        send: sends a notice and metrics for trial, and says what was not sent; None: do not.
    """
    if not is_wanted(settings):
        return
    from ebhook.aws.client import account_of, whoami  # boto3 takes a quarter of a second

    try:
        account = account_of(settings)
    except EbhookError as error:
        yield failed("aws", "account", error)
        return
    try:
        yield ok("aws", f"{account.region}", whoami(account))
    except EbhookError as error:  # a boot does not ask for it; what it does ask for is tried below
        next = then("A boot does without. ", *error.next.parts)
        yield warn("aws", "sts:GetCallerIdentity", error.what, next)
    nouns: dict[str, tuple[Credential, Tenant]] = {}
    for tenant in tenants:
        credential = tenant.url.credential
        if credential is not None:
            kind = credential.action.partition(" ")[0]
            nouns.setdefault(kind, (credential, tenant))
    for credential, tenant in nouns.values():
        try:
            credential.fresh(tenant.url)
            yield ok("aws", credential.action, "allowed")
        except EbhookError as error:
            yield failed("aws", credential.action, error)
    yield from _notices(settings, send)


def _notices(settings: Settings, send: Callable[[], list[str]] | None) -> Iterator[DoctorFinding]:
    notice = settings.notice
    wanted = [name for name in (notice.sns, notice.event_bus) if name]
    wanted += ["cloudwatch:PutMetricData"] if notice.cloudwatch else []
    if not wanted:
        return
    if send is None:
        yield ok("notices", ", ".join(wanted), "not tried; --send tries them")
        return
    problems = send()
    for problem in problems:
        what, _, why = problem.partition(" not sent: ")
        yield warn("notices", what, why, "A boot goes on without; see docs/iam.md")
    if not problems:
        yield ok("notices", ", ".join(wanted), "sent")
